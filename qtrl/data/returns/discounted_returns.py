"""The discounted return of the running episode of every environment, of which rewards get their scale."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from qtrl.errors import CheckpointError


class DiscountedReturns:
    """Sum up the rewards of each episode so far, the older ones discounted: G <- r + gamma G.

    Args:
        gamma: The discount of one env step.
        observe: Called after each env step with the sums (n,) of the environments that made one.

    Source: arXiv:2604.04539.
    """

    def __init__(self, gamma: float, observe: Callable[[Tensor], None]) -> None:
        self._gamma, self._observe = gamma, observe
        self._running: Tensor | None = None  # (N,), float64

    def add(self, reward: Tensor, done: Tensor, kept: Tensor) -> None:
        """Add one env step of every environment, all arguments (N,); begin anew where an episode ended or was lost."""
        if self._running is None or len(self._running) != len(reward):
            self._running = torch.zeros(len(reward), dtype=torch.float64)
        self._running = reward + self._gamma * self._running
        self._observe(self._running[kept])
        self.forget(done | ~kept)

    def forget(self, rows: Tensor) -> None:
        """Begin anew in the environments of the boolean mask `rows`, shape (N,)."""
        if self._running is not None:
            self._running[rows] = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return the sums, None before the first env step."""
        return {"running": None if self._running is None else self._running.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned.

        Raises:
            CheckpointError: The sums are malformed.
        """
        running = state.get("running") if isinstance(state, dict) else state
        fits = isinstance(running, Tensor) and running.dtype == torch.float64 and running.ndim == 1
        if running is not None and not (fits and running.isfinite().all()):
            raise CheckpointError("the checkpoint's discounted returns are malformed")
        self._running = None if running is None else running.clone()
