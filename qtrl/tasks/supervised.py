"""Supervised learning: a hybrid network with quantum layers, a table of examples, and tests on rows held out."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from lightning.pytorch import Callback, seed_everything
from torch import nn

from qtrl.analysis.drawing.examples import draw_examples
from qtrl.analysis.runs.measure import Measure
from qtrl.callbacks import ExampleRows, UpdateFlops
from qtrl.callbacks.examples import ExampleTests
from qtrl.data.example_stream import ExampleStream, check_batch_size
from qtrl.data.tables import Split, Table, split_table
from qtrl.errors import ConfigError
from qtrl.keys import EXAMPLE_SCORES, SCORES, example_metrics
from qtrl.nn import Block, GradientEstimator, Standardize, quantum_layers
from qtrl.quantum import Circuit
from qtrl.seeding import seed_for
from qtrl.tasks.base import RunContext, RunLength


@dataclass(frozen=True, kw_only=True)
class Supervised:
    """Learn to predict one column of a table by the others. Attributes are keys of the config.

    Attributes:
        dataset: Makes the table.
        data: `batch_size`, shares of validation and test rows, and the seed of the split.
        epochs: How often each training row is seen.
        circuit: Its angles and qubits are the inputs and outputs of each quantum layer, whatever the block.
        block: Makes the block from these two sizes.
        gradient: Makes the gradient estimator from the same sizes.
        model: Makes the model from the numbers of inputs and outputs, block and `gradient`.
        algo: Makes the LightningModule from model and statistics of the training rows.
        callbacks: How often the run is validated, logged and saved, in epochs.
        optimized_metric: What a search receives.
    """

    UNREAD: ClassVar = (
        *("env", "actor", "critic", "exploration", "normalize", "num_envs"),
        *("total_env_steps", "warmup_env_steps", "updates_per_env_step"),
        *("test_every_env_steps", "checkpoint_every_env_steps", "checkpoint_replay", "data.capacity"),
        *("callbacks.test_episodes", "callbacks.final_test_episodes", "callbacks.test_max_episode_steps"),
        *("callbacks.log_every_env_steps", "callbacks.probe_rows"),
    )

    dataset: Callable[[], Table]
    data: Mapping[str, Any]
    epochs: int
    circuit: Circuit
    block: Callable[[int, int], Block]
    gradient: Callable[[int, int], GradientEstimator]
    model: Callable[..., nn.Module]
    algo: Callable[..., Any]
    callbacks: Mapping[str, Any]
    optimized_metric: str

    @cached_property
    def table(self) -> Table:
        """The table, read once."""
        table = self.dataset()
        known = [name for name in EXAMPLE_SCORES if name.endswith(f"/{SCORES[table.kind][1]}")]
        if self.optimized_metric not in known:
            metric = f"optimized_metric={self.optimized_metric}"
            raise ConfigError(f"{metric} is not measured in {table.kind}: choices are {', '.join(known)}")
        return table

    @cached_property
    def split(self) -> Split:
        """Training, validation and test rows, the same in every run of one `data.split_seed`."""
        shares = {part: self.data[f"{part}_share"] for part in ("validation", "test")}
        return split_table(self.table, **shares, seed=self.data["split_seed"])

    @property
    def epoch(self) -> int:
        """Training rows."""
        return len(self.split.train)

    def length(self, world_size: int) -> RunLength:
        """Return the run's length in examples that the ranks see together."""
        seen = self._seen(world_size)
        every = self.callbacks["checkpoint_every_epochs"] * seen
        return RunLength(self.epochs * seen, every, unit="example", key="epochs")

    def facts(self) -> dict[str, Any]:
        """Return the table's name, kind, sizes and digest, and what runs on it are compared by."""
        table, split = self.table, self.split
        rows = {f"{part}_rows": len(getattr(split, part)) for part in ("train", "validation", "test")}
        sizes = {"n_inputs": len(table.columns), "n_outputs": table.n_outputs, "classes": list(table.classes)}
        facts = {"dataset": table.name, "kind": table.kind, **sizes, **rows, "fingerprint": table.fingerprint}
        return facts | {"measure": asdict(self._measure())}

    def _measure(self) -> Measure:
        """Return what runs on this table are compared by."""
        score = SCORES[self.table.kind][1]
        name, unit = {"accuracy": ("accuracy", "share of rows"), "r2": ("R²", "share of variance")}[score]
        return Measure(
            name=name,
            unit=unit,
            final=f"test_{score}",
            best=f"best_validation_{score}",
            curve=f"validation/{score}",
            counts="examples seen",
            facts=("dataset", "kind", "n_inputs", "train_rows", "validation_rows", "test_rows", "fingerprint"),
            settings=("task._target_", "epochs", "data.split_seed", "callbacks.validate_every_epochs"),
        )

    def make_module(self, context: RunContext) -> Any:
        """Make the model and the algorithm; equal on every rank, since the seed is."""
        train, table = self.split.train, self.table
        inputs, targets = Standardize(train.inputs), None if table.classes else Standardize(train.targets)
        seed_everything(seed_for(context.seed, "networks") % 2**32, verbose=False)
        block = self.block(self.circuit.n_angles, self.circuit.n_qubits)
        model = self.model(len(table.columns), table.n_outputs, block, self.gradient)
        return self.algo(model, inputs, targets, meters=context.meters, seed=context.seed, rank=context.rank)

    def check(self, module: Any, context: RunContext) -> None:
        """Refuse minibatches of more rows than a rank has, and say what is to be known of the table."""
        check_batch_size(self.data["batch_size"], -(-self.epoch // context.world_size))
        for note in self.table.notes if context.rank == 0 else ():
            print(f"qtrl: {note}", flush=True)

    def make_data(self, module: Any, context: RunContext) -> ExampleStream:
        """Make the stream of minibatches."""
        return ExampleStream(
            self.split.train,
            epochs=self.epochs,
            batch_size=self.data["batch_size"],
            seed=context.seed,
            fingerprint=self.table.fingerprint,
            rank=context.rank,
            world_size=context.world_size,
            meters=module.meters,
            stop=context.stop,
        )

    def make_test(self, context: RunContext) -> ExampleTests:
        """Make the callback that validates and tests."""
        every = self.callbacks["validate_every_epochs"] * self._seen(context.world_size)
        return ExampleTests(self.table, self.split, context.run_dir, every_env_steps=every, seed=context.seed)

    def make_callbacks(self, context: RunContext) -> list[Callback]:
        """Make the callbacks that count operations and write rows."""
        epoch = self._seen(context.world_size)
        every = self.callbacks["log_every_epochs"] * epoch
        return [UpdateFlops(context.meters.flops), ExampleRows(every, epoch=epoch)]

    def _seen(self, world_size: int) -> int:
        """Return the rows that ranks see together in an epoch; each sees equally many, so some are seen twice."""
        return -(-self.epoch // world_size) * world_size

    def metric_names(self, module: Any) -> tuple[str, ...]:
        """Name all metrics."""
        return example_metrics(self.table.kind)

    def describe(self, module: Any, device: Any) -> str:
        """Name the table, and the engine that runs the circuits on a device."""
        executables = [layer.block.executable for layer in quantum_layers(module).values()]
        engines = [executable.engine_on(device) for executable in executables if executable is not None]
        names = ", ".join(dict.fromkeys(engines)) or "none"
        return f"{self.table.name} ({self.epoch:,} training rows), engine {names}"

    def draw(self, run_dir: Path) -> None:
        """Draw loss curves, and how the test came out."""
        draw_examples(run_dir, self.table, self.split.train)

    def explain(self, error: Exception, module: Any) -> Exception | None:
        """Return nothing: what training raises here explains itself."""
        return None
