"""What callbacks know of the objects that they look at: a learner, the data that it learns from, a test."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from qtrl.meters import RunMeters


class Learner(Protocol):
    """A LightningModule that counts its updates, keeps its newest metrics and books its time."""

    env_steps: int
    """Env steps after which the newest update was made, over all ranks; in other tasks, examples seen."""
    updates: int
    """Updates so far."""
    meters: RunMeters
    """Time, circuits and shots."""
    metrics: dict[str, Tensor]
    """The newest values of each metric, on the module's device; whoever logs them takes their mean."""


class Test(Protocol):
    """A callback that tests what is learned, and knows how its tests came out."""

    @property
    def last(self) -> object:
        """The newest result, unequal to any other; None before the first."""

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


@runtime_checkable
class Concluding(Protocol):
    """A callback beside the test that has something to say of the whole run when it ends."""

    def summary(self) -> Mapping[str, Any]:
        """Return what it adds to `summary.json`, at any time."""

    def conclusions(self) -> Sequence[str]:
        """Say it in words, a line each for the terminal; empty where there is nothing to say."""


class Source(Protocol):
    """The data that a run learns from: an iterable of batches with a state, which Lightning's `fit` consumes."""

    env_steps: int
    """Env steps collected so far, over all ranks, which may be after the newest update."""
    begun: bool
    """Whether iteration has started."""

    def __iter__(self) -> Iterator[Any]:
        """Yield batches."""

    def commit(self) -> None:
        """Write what a checkpoint refers to onto the disk, just before the checkpoint is written."""

    def status(self) -> str:
        """Describe what came in last in a few words for the progress bar."""

    def listen(self, listener: Callable[[int], None]) -> None:
        """Call `listener(env_steps)` whenever something came in."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs to go on, as plain data and tensors."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned, before iteration starts."""


class RLLearner(Learner, Protocol):
    """A learner with an actor, of whose quantum layers blocks act, and critics."""

    actor: nn.Module
    """Maps observations (B, O) and a generator to actions (B, A)."""
    critic: Any
    """`first(observation, action)` is the value (B,) that the actor raises."""
    settings: Any
    """Has the discount `gamma`."""
    q_out: Mapping[str, Tensor]
    """What each quantum layer returned in the newest minibatch, (B, Q), by the layer's name."""

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""


class ReplayStream(Source, Protocol):
    """A source that steps environments and keeps their transitions."""

    stats: Any
    """What was counted on this rank; see `qtrl.data.CollectionStats`."""
    replay: Any
    """The replay buffer."""

    def released(self) -> AbstractContextManager[None]:
        """Let no environment exist in the `with` block."""


def concluding(trainer: Trainer) -> list[Concluding]:
    """Return the callbacks of a trainer that have something to say of the whole run."""
    return [callback for callback in trainer.callbacks if isinstance(callback, Concluding)]  # type: ignore[attr-defined]


def source_of(trainer: Trainer) -> Any:
    """Return the data that a trainer fits: `Source`, or what the callback's task makes of it."""
    return trainer.train_dataloader
