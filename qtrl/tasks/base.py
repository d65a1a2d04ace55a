"""The contract of a task: what a run needs of whatever is learned in it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning.pytorch import Callback, LightningModule

from qtrl.meters import RunMeters
from qtrl.process.stopping import Stop


@dataclass(frozen=True)
class RunContext:
    """What a task is told about the run that it takes part in.

    Attributes:
        run_dir: The run's folder, which need not exist yet.
        seed: The run's seed.
        rank: The number of this process.
        world_size: Processes of the run.
        num_nodes: Machines that they run on.
        stop: Where a request for a graceful shutdown is seen.
        meters: Time, circuits and shots of the whole run.
    """

    run_dir: Path
    seed: int
    rank: int = 0
    world_size: int = 1
    num_nodes: int = 1
    stop: Stop = field(default_factory=Stop)
    meters: RunMeters = field(default_factory=RunMeters)


class Test(Protocol):
    """A callback that tests what is learned, and knows how its tests came out."""

    __test__ = False  # pytest would take the name for a test class

    @property
    def last_at(self) -> int | None:
        """Env steps at which the newest test was made; None before the first."""

    @property
    def best_at(self) -> int | None:
        """Env steps at which the best test was made; None before the first."""

    def score(self, metric: str) -> float:
        """Return what `optimized_metric` asks for, after at least one test."""

    def summary(self) -> Mapping[str, Any]:
        """Return what `summary.json` says of the tests."""

    def status(self) -> str:
        """Describe the newest test in a few words for the progress bar; empty before the first."""

    def result(self) -> str:
        """Describe the last and the best test in one line, after at least one test."""


class Source(Protocol):
    """The data that a run learns from: an iterable of batches with a state, which Lightning's `fit` consumes."""

    env_steps: int
    """Env steps collected so far, over all ranks; in other tasks, examples seen."""
    begun: bool
    """Whether iteration has started."""

    def __iter__(self) -> Any:
        """Yield batches."""

    def commit(self) -> None:
        """Write what a checkpoint refers to onto the disk, just before the checkpoint is written."""

    def status(self) -> str:
        """Describe what came in last in a few words for the progress bar."""

    def listen(self, listener: Any) -> None:
        """Call `listener(env_steps)` whenever something came in."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs to go on, as plain data and tensors."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned, before iteration starts."""


class Task(Protocol):
    """What is learned. Its constructor's parameters are named like the keys of the config that it needs."""

    def facts(self) -> Mapping[str, Any]:
        """Return what two results must have in common to be compared, as plain data."""

    def module(self, context: RunContext) -> LightningModule:
        """Make networks and algorithm, equal on every rank; see `qtrl.callbacks.protocols.Learner`."""

    def check(self, module: LightningModule, context: RunContext) -> None:
        """Check that the run will fit into memory and onto the disk, before anything is written.

        Raises:
            QtrlError: It will not.
        """

    def data(self, module: LightningModule, context: RunContext) -> Source:
        """Open the data, once the run folder exists."""

    def test(self, context: RunContext) -> Test:
        """Make the callback that tests."""

    def callbacks(self, context: RunContext) -> Iterable[Callback]:
        """Make the task's other callbacks."""

    def metrics(self, module: LightningModule) -> tuple[str, ...]:
        """Name all metrics that may be logged, `env_steps` first: the columns of `metrics.csv`."""

    def describe(self, module: LightningModule, device: torch.device) -> str:
        """Say in a few words what the run computes with, for its first line on the terminal."""

    def explain(self, error: Exception, module: LightningModule) -> Exception | None:
        """Return a clearer error for one that training raised, or None."""
