"""The contract of a task: what a run needs of whatever is learned in it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning.pytorch import Callback, LightningModule

from qtrl.callbacks.protocols import Source, Test
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
        device: Where this process learns.
        stop: Where a request for a graceful shutdown is seen.
        meters: Time, circuits and shots of the whole run.
    """

    run_dir: Path
    seed: int
    rank: int = 0
    world_size: int = 1
    num_nodes: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    stop: Stop = field(default_factory=Stop)
    meters: RunMeters = field(default_factory=RunMeters)


@dataclass(frozen=True)
class RunLength:
    """How long a run is, in what its task counts.

    Attributes:
        total: What a complete run has made, over all ranks.
        checkpoint_every: Interval between checkpoints.
        warmup: What is made before learning begins.
        unit: What is counted, in the singular; `env_steps` in files and code, whatever the task.
        key: The key of the config that says how long, which may change when a run goes on.
    """

    total: int
    checkpoint_every: int
    warmup: int = 0
    unit: str = "env step"
    key: str = "total_env_steps"

    @property
    def asked(self) -> str:
        """What the config asks for, as it stands on a command line where the key counts units itself."""
        counts = self.key.endswith(self.unit.replace(" ", "_") + "s")
        return f"{self.key}={self.total}" if counts else f"{self.key}, which makes {self.total},"


class Task(Protocol):
    """What is learned. Its constructor's parameters are named like the keys of the config that it needs.

    A class attribute `UNREAD` may name keys of the config, dotted, that neither it nor what it makes reads: they are
    left out of the run's config, and refused on the command line.
    """

    def facts(self) -> Mapping[str, Any]:
        """Return what two results must have in common to be compared, as plain data."""

    def length(self, world_size: int) -> RunLength:
        """Return how long the run is, over all of this number of processes."""

    def make_module(self, context: RunContext) -> LightningModule:
        """Make networks and algorithm, equal on every rank; see `qtrl.callbacks.protocols.Learner`."""

    def check(self, module: LightningModule, context: RunContext) -> None:
        """Check that the run will fit into memory and onto the disk, before anything is written.

        Raises:
            QtrlError: It will not.
        """

    def make_data(self, module: LightningModule, context: RunContext) -> Source:
        """Open the data, once the run folder exists."""

    def make_test(self, context: RunContext) -> Test:
        """Make the callback that tests."""

    def make_callbacks(self, context: RunContext) -> Iterable[Callback]:
        """Make the task's other callbacks."""

    def metric_names(self, module: LightningModule) -> tuple[str, ...]:
        """Name all metrics that may be logged, `env_steps` first: the columns of `metrics.csv`."""

    def describe(self, module: LightningModule, device: torch.device) -> str:
        """Say in a few words what the run computes with, for its first line on the terminal."""

    def draw(self, run_dir: Path) -> None:
        """Draw pictures of a run that has ended into its folder, on rank 0."""

    def explain(self, error: Exception, module: LightningModule) -> Exception | None:
        """Return a clearer error for one that training raised, or None."""
