"""How long runs of a circuit take."""

import time
from collections.abc import Callable

import torch
from torch import Tensor


class Clock:
    """Sums, in `seconds`, the wall-clock time of runs and of their gradients, by a monotonic clock.

    On an accelerator this is the time to launch the kernels, since the device is not synchronized.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def time(self, run: Callable[[Tensor], Tensor], angles: Tensor) -> Tensor:
        """Return `run(angles)`; a backward pass through it will be timed as well."""
        inputs = angles.view_as(angles) if angles.requires_grad and torch.is_grad_enabled() else angles
        start = time.perf_counter()
        result = run(inputs)
        self.seconds += time.perf_counter() - start
        if result.requires_grad and inputs is not angles:
            self._time_backward(inputs, result)
        return result

    def _time_backward(self, inputs: Tensor, result: Tensor) -> None:
        """Time from the gradient's arrival at the result to its arrival at the alias of the angles."""
        start = 0.0

        def arrived(gradient: Tensor) -> None:
            nonlocal start
            start = time.perf_counter()

        def left(gradient: Tensor) -> None:
            self.seconds += time.perf_counter() - start

        result.register_hook(arrived)
        inputs.register_hook(left)
