"""Tests of a model that was trained on a table, as `qtrl.eval` makes them for a run of `task=supervised`."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from qtrl.analysis.drawing.examples import draw_test
from qtrl.analysis.drawing.frozen_policy import draw_frozen_policy, note, print_table, write_conditions
from qtrl.analysis.statistics.paired import EXAMPLES, PairedComparison, compare_paired, verdict
from qtrl.callbacks.examples import Scores, predict, scale_of, score, write_predictions
from qtrl.commands.agent import check_options, open_run, reading
from qtrl.commands.conditions import OWN, Condition, UnfitConditionError, read_conditions
from qtrl.commands.evaluation import new_result, printing_first
from qtrl.config.instantiate import blamed, construct_task
from qtrl.config.saved import load_config, trusted
from qtrl.config.secrets import refuse_secrets
from qtrl.errors import CheckpointError, ConfigError
from qtrl.files.atomic import write_json
from qtrl.files.run_tree import existing_run_dir
from qtrl.keys import SCORES
from qtrl.nn import quantum_layers
from qtrl.nn.stand_ins import Trained
from qtrl.run.exported import located
from qtrl.run.provenance import provenance
from qtrl.run.start_from import StartingPoint
from qtrl.seeding import seed_for
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
        run_dir: Folder of the run.
        cfg: Its config.
        task: Made from it.
        module: With the checkpoint's weights.
        checkpoint: Its counters and weights.
    """

    run_dir: Path
    cfg: DictConfig
    task: Supervised
    module: Any
    checkpoint: dict[str, Any]
    exported: bool = False

    def outputs(self, options: DictConfig) -> Tensor:
        """Return what the model says of the test rows."""
        return predict(self.module, self.task.split.test.inputs, seed=options.seed)

    def scores(self, outputs: Tensor) -> Scores:
        """Compare that with their targets."""
        return score(outputs, self.task.split.test.targets, scale=scale_of(self.module))

    def facts(self, options: DictConfig) -> dict[str, Any]:
        """Return what is tested, and with which versions, as plain data."""
        counters = {name: self.checkpoint[name] for name in ("env_steps", "updates")}
        asked = {name: options[name] for name in ("seed", "checkpoint")}
        return {**asked, **counters, "label": self.cfg.label, **self.task.facts(), **provenance()}


def load_model(options: DictConfig) -> TrainedModel:
    """Make the model that the options of the command line name.

    Raises:
        ConfigError: An option is about agents.
        CheckpointError: The table is not the one that the run was trained on.
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
        _check_table(task, run.checkpoint, run.path)
        module = StartingPoint(run.path, run.checkpoint, resumes=False).build(lambda: task.make_module(context))
    return TrainedModel(run.run_dir, run.cfg, task, module, run.checkpoint)


def _check_table(task: Supervised, checkpoint: dict[str, Any], path: Path) -> None:
    """Refuse another table: its rows were dealt out to training and test in another way."""
    if checkpoint.get("fingerprint") != task.table.fingerprint:
        raise CheckpointError(f"{path} was not trained on this table, or the table has changed since: give it the same")


def run_example_evaluation(cfg: DictConfig) -> float:
    """Test a model on its test rows, write scores, predictions and a picture, and return accuracy or R²."""
    model = load_model(cfg)
    outputs = model.outputs(cfg)
    scores, table = model.scores(outputs), model.task.table
    said = ", ".join(f"{name} {value:.4f}" for name, value in scores.values.items())
    said = f"{said} over {len(outputs)} test rows after {model.checkpoint['env_steps']:,} examples"
    with printing_first(said):
        path = new_result(model, ".json")
        write_json(path, {**scores.values, **scores.details, **reading(quantum_layers(model.module)), **model.facts(cfg)})
        write_predictions(path.with_suffix(".csv"), outputs, model.task.split.test, table, scale_of(model.module))
        picture = path.with_suffix(".png")
        draw_test(path.with_suffix(".csv"), picture, classes=table.classes, target=table.target)
    print(f"qtrl: {said}: {path}, {path.stem}.csv, {picture.name}")
    return scores.values[SCORES[table.kind][1]]


def run_example_ablation(cfg: DictConfig) -> float:
    """Test a model with its quantum layers changed or replaced, and return its accuracy or R² as it is."""
    model, conditions = load_model(cfg), read_conditions(cfg.ablation)
    ablation = ExampleAblation(model, cfg, Path(HydraConfig.get().runtime.choices["ablation"]).name)
    return ablation.run(conditions)


class ExampleAblation:
    """The conditions tested so far, the run as it is first, and the files with their results, named by `name`.

    Scores are in percent: 100 for a row whose class is right; of a number 100 (1 - e² / s²) by its error e and the
    variance s² of test targets, whose mean is 100 R².
    """

    def __init__(self, model: TrainedModel, options: DictConfig, name: str) -> None:
        self._model, self._options, self._name = model, options, name
        self._layers = list(quantum_layers(model.module).values())
        self._path = new_result(model, f"-{name}.json")
        self._tested: list[PairedComparison] = []
        self._outcomes: list[dict[str, Any]] = []
        self._left_out: dict[str, str] = {}
        self._seed = seed_for(options.seed, "bootstrap")

    def run(self, conditions: list[Condition]) -> float:
        """Test the run as it is, then under each condition that applies; return the score of the former."""
        q_out: list[list[Tensor]] = [[] for _ in self._layers]
        with ExitStack() as recording:
            for layer, kept in zip(self._layers, q_out, strict=True):
                hook = layer.block.register_forward_hook(lambda *call, kept=kept: kept.append(call[-1]))
                recording.enter_context(hook)
            own = self._test(Condition(OWN))
        had = zip(self._layers, q_out, strict=True)
        trained = [Trained(layer.block, layer.estimator, torch.cat(values)) for layer, values in had]
        for condition in conditions:
            try:
                blocks = [condition.make(self._model, parts) for parts in trained]  # type: ignore[arg-type]
            except UnfitConditionError as error:
                self._left_out[condition.name] = str(error)
                continue
            for layer, block in zip(self._layers, blocks, strict=True):
                layer.block = block
            self._test(condition)
        for layer, parts in zip(self._layers, trained, strict=True):
            layer.block = parts.block
        self._finish()
        return own

    def _test(self, condition: Condition) -> float:
        scores = self._model.scores(self._model.outputs(self._options))
        percent = torch.tensor(scores.correct, dtype=torch.float64)
        if not self._model.task.table.classes:
            targets = self._model.task.split.test.targets.double()
            percent = 1 + percent / targets.var(correction=0)
        values = tuple((100 * percent).tolist())
        own = self._tested[0].returns if self._tested else values
        paired = compare_paired(condition.name, values, own, seed=self._seed, uninformed=condition.uninformed)
        self._tested.append(paired)
        found = {name: getattr(paired, name) for name in ("difference", "low", "high", "finding")}
        self._outcomes.append(vars(condition) | found | dict(scores.values))
        return scores.values[SCORES[self._model.task.table.kind][1]]

    def _finish(self) -> None:
        found = verdict(self._tested[0], self._tested[1:], seed=self._seed, terms=EXAMPLES)
        title = f"{self._model.run_dir.name}: {self._options.checkpoint}.ckpt"
        csv, picture = (self._path.with_suffix(suffix) for suffix in (".csv", ".png"))
        print_table(self._tested, title=title, terms=EXAMPLES)
        for name, reason in self._left_out.items():
            print(f"qtrl: {name} is left out: {reason}")
        print(f"qtrl: {found}", flush=True)
        told = note(len(self._tested[0].returns), EXAMPLES)
        head = {"ablation": self._name, "status": "complete", "verdict": found, "note": told}
        facts = self._model.facts(self._options)
        write_json(self._path, head | facts | {"conditions": self._outcomes, "left_out": self._left_out})
        write_conditions(self._tested, csv)
        draw_frozen_policy(self._tested, picture, title=title, terms=EXAMPLES)
        print(f"qtrl: {self._path}, {csv.name}, {picture.name}")
