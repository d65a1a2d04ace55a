"""Stop a run that diverged, before its parameters or checkpoints are lost."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from qtrl.errors import DivergenceError

CHECK_EVERY = 100
"""Values from one check to the next on an accelerator, where a check waits for all queued kernels."""


class DivergenceDetector:
    """Stop a run whose losses, or norms of gradients, are no longer finite.

    On a CPU every value is checked before an optimizer moves a parameter. On an accelerator the newest ones are checked
    now and then, and before a checkpoint is written: by then parameters may be NaN, and so are all losses, but no file
    is.

    Args:
        where: Says how far the run is, for the error.
    """

    def __init__(self, where: Callable[[], str]) -> None:
        self._where = where
        self.newest: dict[str, Tensor] = {}
        """What was watched since the last check, by name."""
        self.paused = False
        """Whether nothing is checked, since a CUDA graph is being captured."""
        self._count = 0

    def watch(self, name: str, value: Tensor) -> None:
        """Take note of a scalar, and check it where that is cheap or due.

        Raises:
            DivergenceError: It is not finite, or on an accelerator an earlier one was not.
        """
        self.watch_all({name: value.detach()})

    def watch_all(self, values: Mapping[str, Tensor]) -> None:
        """Take note of detached scalars of one device; otherwise as `watch`, and as one value when values are counted.

        Raises:
            DivergenceError: One is not finite, or on an accelerator an earlier one was not.
        """
        self.newest.update(values)
        self._count += 1
        on_cpu = any(value.device.type == "cpu" for value in values.values())
        if not self.paused and (on_cpu or self._count % CHECK_EVERY == 0):
            self.check()

    def check(self) -> None:
        """Wait for the device and check the newest values.

        Raises:
            DivergenceError: One is not finite.
        """
        newest, self.newest = self.newest, {}
        values = torch.stack(list(newest.values())).tolist() if newest else []  # one wait for all of them
        for name, value in zip(newest, values, strict=True):
            if not math.isfinite(value):
                raise DivergenceError(
                    f"{name} became {value} {self._where()}; the last checkpoint is kept: "
                    "lower the learning rates, or look at the metrics before it"
                )
