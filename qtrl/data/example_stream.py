"""Minibatches of examples: epochs over training rows, shuffled by seed and epoch alone."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from qtrl.data.tables import Part
from qtrl.errors import CheckpointError, DataError
from qtrl.meters import RunMeters
from qtrl.process.stopping import Stop
from qtrl.seeding import seed_for
from qtrl.specs import ExampleBatch


class ExampleStream:
    """Yield every training row once an epoch, in parts equal to within one row.

    The order follows from the seed and the number of the epoch, so a run goes on bit for bit from two numbers. Of
    several ranks each has rows of its own, and some see a row that another one sees too, so that all have as many.

    Args:
        part: The training rows.
        epochs: How often each is seen.
        batch_size: Most rows of a minibatch, on each rank.
        seed: The run's seed.
        fingerprint: Of the table; a checkpoint knows that of its own.
        rank: This process's rank.
        world_size: Number of ranks.
        meters: Where the time of learning is booked.
        stop: Looked at between updates.

    Attributes:
        env_steps: Examples seen so far, over all ranks.
        begun: Whether iteration has started.

    Raises:
        DataError: There are fewer rows than a minibatch has.
    """

    def __init__(
        self,
        part: Part,
        *,
        epochs: int,
        batch_size: int,
        seed: int,
        fingerprint: str = "",
        rank: int = 0,
        world_size: int = 1,
        meters: RunMeters | None = None,
        stop: Stop | None = None,
    ) -> None:
        self._part, self._epochs, self._seed, self._fingerprint = part, epochs, seed, fingerprint
        self._rank, self._world_size = rank, world_size
        self._rows = -(-len(part) // world_size)
        check_batch_size(batch_size, self._rows)
        self._batches = -(-self._rows // batch_size)
        self._meters, self._stop = meters or RunMeters(), stop or Stop()
        self._listener: Callable[[int], None] = lambda _: None
        self._epoch = self._batch = 0
        self.env_steps = 0
        self.begun = False

    def __len__(self) -> int:
        """Give a number that is never reached, or Lightning would end the run there."""
        return 10**12

    def __iter__(self) -> Iterator[ExampleBatch]:
        self.begun = True
        while self._epoch < self._epochs:
            parts = self._order(self._epoch).tensor_split(self._batches)
            while self._batch < self._batches:
                self._stop.check()
                with self._meters.stopwatch.section("learning"):
                    yield self._next(parts[self._batch])
            self._epoch, self._batch = self._epoch + 1, 0

    def _order(self, epoch: int) -> torch.Tensor:
        """Return the rows of this rank in their order."""
        generator = torch.Generator().manual_seed(seed_for(self._seed, f"epoch/{epoch}"))
        order = torch.randperm(len(self._part), generator=generator)
        order = torch.cat([order, order[: self._rows * self._world_size - len(order)]])
        return order[self._rank :: self._world_size]

    def _next(self, rows: torch.Tensor) -> ExampleBatch:
        self._batch += 1
        self.env_steps += len(rows) * self._world_size
        self._listener(self.env_steps)
        progress = self.env_steps / (self._epochs * self._rows * self._world_size)
        return ExampleBatch(self._part.inputs[rows], self._part.targets[rows], self.env_steps, progress)

    def commit(self) -> None:
        """Do nothing: a checkpoint refers to nothing that is on the disk."""

    def status(self) -> str:
        """Say which epoch it is."""
        return f"epoch {min(self._epoch + 1, self._epochs)} of {self._epochs}"

    def listen(self, listener: Callable[[int], None]) -> None:
        """Call `listener(env_steps)` with every minibatch."""
        self._listener = listener

    def state_dict(self) -> dict[str, Any]:
        """Return how far it is."""
        counts = {"epoch": self._epoch, "batch": self._batch, "env_steps": self.env_steps}
        return {**counts, "fingerprint": self._fingerprint}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned.

        Raises:
            CheckpointError: The table has changed since.
        """
        if state["fingerprint"] != self._fingerprint:
            raise CheckpointError("the table is not the one that this run began with: give it the same file again")
        self._epoch, self._batch, self.env_steps = (int(state[name]) for name in ("epoch", "batch", "env_steps"))


def check_batch_size(batch_size: int, rows: int) -> None:
    """Raise a DataError for a minibatch of more rows than there are for training."""
    if batch_size > rows:
        raise DataError(f"data.batch_size={batch_size} is more than the {rows} training rows of a rank: make it less")
