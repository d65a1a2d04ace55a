"""A model of a table as something to be exported. The table itself is not needed for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from qtrl.commands.export.exportable import Card, Signature
from qtrl.commands.export.models.model_card import model_card
from qtrl.commands.export.models.predictions import Probabilities, Values
from qtrl.commands.export.models.table_rows import draw_rows, table_rows
from qtrl.config.nested import at
from qtrl.config.trusted_classes import TARGET
from qtrl.keys import SCORES
from qtrl.loaded.model import Model, make_model
from qtrl.run.exported import MODEL
from qtrl.run.saved_run import SavedRun


@dataclass(frozen=True)
class ModelExport:
    """Satisfies `Exportable`."""

    source: SavedRun
    model: Model
    form = MODEL
    numbers = (
        *("env_steps", "updates", "seed", "wall_seconds", "train_rows", "validation_rows", "test_rows"),
        *(f"{part}_{score}" for part in ("validation", "test") for names in SCORES.values() for score in names),
        *(f"best_validation_{names[1]}" for names in SCORES.values()),
        "best_env_steps",
    )

    @property
    def network(self) -> nn.Module:
        """The network with its standardization, from rows to logits or standardized numbers."""
        return self.model.network

    @property
    def signature(self) -> Signature:
        """Rows to probabilities, or to values."""
        made = self._made
        return Signature(len(self.model.columns), "rows", made.gives, cases="rows", answers=made.answers)

    @property
    def _made(self) -> type[Probabilities] | type[Values]:
        return Probabilities if self.model.classes else Values

    def function(self, quantum: str) -> nn.Module:
        """Return what predicts."""
        return self._made(self.model.network, quantum)

    def inputs(self, count: int, seed: int) -> tuple[Tensor, str]:
        """Draw rows."""
        return draw_rows(table_rows(self.source), self.model.network.inputs, count=count, seed=seed)

    def config(self) -> dict[str, Any]:
        """Return the config, of the files of its table the names alone."""
        plain: Any = OmegaConf.to_container(self.source.cfg, resolve=True)
        return plain | {"dataset": without_folders(plain.get("dataset"))}

    def facts(self) -> dict[str, Any]:
        """Return the table's name, kind, columns, classes, target and digest."""
        found = self.source.checkpoint.get("fingerprint")
        return {
            "dataset": _name(self.config()["dataset"]),
            "kind": tuple(SCORES)[0 if self.model.classes else 1],
            "n_inputs": len(self.model.columns),
            "n_outputs": len(self.model.classes) or 1,
            **self._table(),
            "fingerprint": found if isinstance(found, str) else None,
        }

    def description(self) -> dict[str, Any]:
        """Return what the table was, and by which tensors of the weights rows and targets are standardized."""
        facts = self.facts()
        of_rows, of_targets = ({"mean": f"{name}.mean", "deviation": f"{name}.std"} for name in ("inputs", "targets"))
        return {
            **{name: facts[name] for name in ("dataset", "kind", "fingerprint")},
            "table": self._table(),
            "normalization": [of_rows],
            "target_scaling": None if self.model.classes else of_targets,
        }

    def _table(self) -> dict[str, Any]:
        model = self.model
        return {"columns": [*model.columns], "classes": [*model.classes], "target": model.target}

    def card(self, run: str, result: Mapping[str, Any]) -> Card:
        """Return the table, scores, and how it is loaded."""
        return model_card(run, result)


def load_model_export(run: SavedRun) -> ModelExport:
    """Make what is exported of a run of `task=supervised`, or of what was exported of one.

    Raises:
        QtrlError: Its checkpoint does not fit its config, or says nothing of its table.
    """
    plain: Any = OmegaConf.to_container(run.cfg, resolve=True)
    return ModelExport(run, make_model(run, plain, seed=0, device=torch.device("cpu")))


def without_folders(value: Any, key: str = "") -> Any:
    """Return the node of a table, in which of a path, and of any absolute one, the name of the file is left."""
    if isinstance(value, dict):
        return {name: without_folders(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [without_folders(each, key) for each in value]
    if isinstance(value, str) and (key == "path" or value.startswith(("/", "~/"))):
        return Path(value).name
    return value


def _name(dataset: Any) -> str:
    """Return what the table is called: the name of its file, or of the function that makes it."""
    path = at(dataset, "path")
    return path if isinstance(path, str) else str(at(dataset, TARGET)).rpartition(".")[2]
