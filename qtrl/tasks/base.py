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


class Task(Protocol):
    """What is learned. Its constructor's parameters are named like the keys of the config that it needs."""

    def facts(self) -> Mapping[str, Any]:
        """Return what two results must have in common to be compared, as plain data."""

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
