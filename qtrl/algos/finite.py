"""Looking at losses, and at norms of their gradients, before they reach a parameter."""

from collections.abc import Callable

import torch
from torch import Tensor

from qtrl.errors import DivergenceError

LOOK_EVERY = 100
"""Losses from one look to the next on an accelerator, where a look waits for all that is queued."""


class FiniteLosses:
    """Stop a run whose losses, or norms of gradients, are no longer finite; both are called losses here.

    On a CPU every loss is looked at before its gradient is taken. On an accelerator the newest ones are looked at now
    and then, and before a checkpoint is written: by then parameters may be NaN, and so are all losses, but no file is.

    Args:
        where: Says how far the run is, for the error.
    """

    def __init__(self, where: Callable[[], str]) -> None:
        self._where = where
        self._newest: dict[str, Tensor] = {}
        self._count = 0

    def add(self, name: str, loss: Tensor) -> None:
        """Take note of a loss, a scalar.

        Raises:
            DivergenceError: It is not finite, or on an accelerator an earlier one was not.
        """
        self._newest[name] = loss.detach()
        self._count += 1
        if loss.device.type == "cpu" or self._count % LOOK_EVERY == 0:
            self.look()

    def look(self) -> None:
        """Wait for the device and read the newest losses.

        Raises:
            DivergenceError: One is not finite.
        """
        newest, self._newest = self._newest, {}
        for name, loss in newest.items():
            if not torch.isfinite(loss):
                raise DivergenceError(
                    f"{name} became {loss.item()} {self._where()}; the last checkpoint is kept: "
                    "lower the learning rates, or look at the metrics before it"
                )
