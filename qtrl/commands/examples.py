"""Tests of a model that was trained on a table, as `qtrl.eval` makes them for a run of `task=supervised`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from qtrl.analysis.drawing.examples import draw_test
from qtrl.analysis.statistics.paired import EXAMPLES, Terms
from qtrl.callbacks.examples import Scores, predict, scale_of, score, write_predictions
from qtrl.commands.agent import check_options, open_run, reading
from qtrl.commands.conditions import read_conditions
from qtrl.commands.evaluation import new_result, printing_first
from qtrl.commands.frozen_policy import Ablation
from qtrl.commands.subject import Tested, told_checkpoint
from qtrl.config.instantiate import blamed, construct_task
from qtrl.config.saved import load_config, trusted
from qtrl.config.secrets import refuse_secrets
from qtrl.errors import CheckpointError, ConfigError, DataError
from qtrl.files.atomic import write_json
from qtrl.files.run_tree import existing_run_dir
from qtrl.keys import SCORES
from qtrl.nn import QuantumLayers, quantum_layers
from qtrl.run.exported import located
from qtrl.run.provenance import provenance
from qtrl.run.saved_run import SavedRun
from qtrl.run.start_from import StartingPoint
from qtrl.tasks import RunContext, Supervised

OF_AGENTS = ("episodes", "video", "export", "log")
"""Options of `qtrl.eval` that a model of a table has no use for."""


def is_supervised(options: DictConfig) -> bool:
    """Tell whether a command is about a run of `task=supervised`; whatever is wrong with the run is told later."""
    try:
        cfg = load_config(existing_run_dir(located(options.run), "run"), trusted(options))
        kind = get_class(str(OmegaConf.select(cfg, "task._target_")))
    except Exception:
        return False
    return issubclass(kind, Supervised)


@dataclass(frozen=True)
class TrainedModel:
    """What a test needs of a finished run, its config changed by the command line's options.

    Attributes:
        run_dir: Folder of the run, or of the exported model, into which nothing is written.
        cfg: Its config.
        task: Made from it.
        module: With the checkpoint's weights.
        checkpoint: Its counters and weights.
        exported: Whether it was exported.
    """

    run_dir: Path
    cfg: DictConfig
    task: Supervised
    module: Any
    checkpoint: dict[str, Any]
    exported: bool = False
    terms: Terms = EXAMPLES

    @property
    def network(self) -> nn.Module:
        """The model."""
        model: nn.Module = self.module.model
        return model

    @property
    def layers(self) -> QuantumLayers:
        """The model's quantum layers."""
        return quantum_layers(self.module)

    def outputs(self, options: DictConfig) -> Tensor:
        """Return what the model says of the test rows."""
        return predict(self.module, self.task.split.test.inputs, seed=options.seed)

    def scores(self, outputs: Tensor) -> Scores:
        """Compare that with their targets."""
        return score(outputs, self.task.split.test.targets, scale=scale_of(self.module))

    def test(self, options: DictConfig) -> Tested:
        """Test it in percent, and say what that ran on a quantum computer.

        A row gives 100 where its class is right; a number 100 (1 - e² / s²) by its error e and the variance s² of test
        targets, whose mean is 100 R².
        """
        scores, test = self.scores(self.outputs(options)), self.task.split.test
        percent = torch.tensor(scores.correct, dtype=torch.float64)
        if not self.task.table.classes:
            percent = 1 + percent / test.targets.double().var(correction=0)
        found = {**scores.values, **reading(self.layers), "cost": vars(self.layers.block_cost(len(test)))}
        return Tested(tuple((100 * percent).tolist()), scores.values[SCORES[self.task.table.kind][1]], found)

    def facts(self, options: DictConfig) -> dict[str, Any]:
        """Return what is tested, and with which versions, as plain data."""
        counters = {name: self.checkpoint[name] for name in ("env_steps", "updates")}
        told = told_checkpoint(self.exported, self.checkpoint, options.checkpoint)
        asked = {"seed": options.seed, "checkpoint": told}
        return {**asked, **counters, "label": self.cfg.label, **self.task.facts(), **provenance()}


def load_model(options: DictConfig) -> TrainedModel:
    """Make the model that the options of the command line name.

    Raises:
        ConfigError: An option is about agents.
        CheckpointError: The table is not the one that the run was trained on.
        DataError: The table cannot be had here.
    """
    refuse_secrets(options)
    check_options(options)
    for override in HydraConfig.get().overrides.task:
        if override.lstrip("+~").partition("=")[0] in OF_AGENTS:
            raise ConfigError(f"{override} has no effect on a run of task=supervised: leave it out")
    run = open_run(options)
    with blamed(run.run_dir / "config.yaml"):
        task = construct_task(run.cfg)
        assert isinstance(task, Supervised)
        context = RunContext(run.run_dir, seed=run.cfg.seed)
        _check_table(task, run)
        module = StartingPoint(run.path, run.checkpoint, resumes=False).build(lambda: task.make_module(context))
    return TrainedModel(run.run_dir, run.cfg, task, module, run.checkpoint, run.exported)


def _check_table(task: Supervised, run: SavedRun) -> None:
    """Refuse another table: its rows were dealt out to training and test in another way."""
    try:
        found = task.table.fingerprint
    except DataError as error:
        if not run.exported:
            raise
        hint = "a model is exported without its table: to predict, take qtrl.load; to test it, put the file here"
        raise DataError(f"{error}; {hint}") from error
    if run.checkpoint.get("fingerprint") != found:
        told = f"{run.path} was not trained on this table, or the table has changed since: give it the same"
        raise CheckpointError(told)


def run_example_evaluation(cfg: DictConfig) -> float:
    """Test a model on its test rows, write scores, predictions and a picture, and return accuracy or R²."""
    model = load_model(cfg)
    outputs = model.outputs(cfg)
    scores, table = model.scores(outputs), model.task.table
    said = ", ".join(f"{name} {value:.4f}" for name, value in scores.values.items())
    said = f"{said} over {len(outputs)} test rows after {model.checkpoint['env_steps']:,} examples"
    with printing_first(said):
        path = new_result(model, ".json")
        write_json(path, {**scores.values, **scores.details, **reading(model.layers), **model.facts(cfg)})
        write_predictions(path.with_suffix(".csv"), outputs, model.task.split.test, table, scale_of(model.module))
        picture = path.with_suffix(".png")
        draw_test(path.with_suffix(".csv"), picture, classes=table.classes, target=table.target)
    print(f"qtrl: {said}: {path}, {path.stem}.csv, {picture.name}")
    return scores.values[SCORES[table.kind][1]]


def run_example_ablation(cfg: DictConfig) -> float:
    """Test a model with its quantum layers changed or replaced, and return its accuracy or R² as it is."""
    return Ablation(load_model(cfg), cfg).run(read_conditions(cfg.ablation))
