"""Floating-point operations of an update, counted once in each run."""

from typing import Any

from lightning.pytorch import Callback, Trainer
from torch.utils.flop_counter import FlopCounterMode

from qtrl.callbacks.protocols import Learner
from qtrl.meters import FlopCount

COUNTED = 6
"""Updates that are counted: a multiple of the usual policy delays, before CUDA graphs begin to replay."""


class UpdateFlops(Callback):
    """Let torch count the operations of the first updates; no number of the run changes by that.

    Networks that `torch.compile` compiled hide what they run, so theirs are not counted.

    Args:
        flops: Where they are counted.
    """

    def __init__(self, flops: FlopCount) -> None:
        self._flops = flops
        self._counter: FlopCounterMode | None = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: Learner, *args: Any) -> None:  # type: ignore[override]
        """Begin to count."""
        if self._flops.updates < COUNTED and not getattr(pl_module, "compile_mode", None):
            self._counter = FlopCounterMode(display=False)
            self._counter.__enter__()

    def on_train_batch_end(self, trainer: Trainer, pl_module: Learner, *args: Any) -> None:  # type: ignore[override]
        """Add what one update took."""
        if counter := self._stop():
            self._flops.updates += 1
            self._flops.operations += counter.get_total_flops()

    def on_exception(self, trainer: Trainer, pl_module: Learner, exception: BaseException) -> None:  # type: ignore[override]
        """Leave nothing behind that counts."""
        self._stop()

    def _stop(self) -> FlopCounterMode | None:
        counter, self._counter = self._counter, None
        if counter is not None:
            counter.__exit__(None, None, None)
        return counter

    def state_dict(self) -> dict[str, Any]:
        """Return the count as plain data."""
        return vars(self._flops).copy()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self._flops.updates, self._flops.operations = state_dict["updates"], state_dict["operations"]
