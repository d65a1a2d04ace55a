"""Returns and lengths of training episodes."""

from typing import Any

import numpy as np
import torch
from torch import Tensor


class EpisodeReturns:
    """Undiscounted returns and lengths of the episodes that ended, in several environments at once."""

    def __init__(self) -> None:
        self._running: np.ndarray | None = None
        self.ended: list[tuple[float, int]] = []
        self.count = 0
        self.newest: float | None = None
        """Return of the episode that ended last."""
        self.total = 0.0
        """Sum of the returns of all `count` episodes."""

    def add(self, reward: Tensor, done: Tensor) -> None:
        """Add one step of every environment; `reward` and `done` have shape (N,)."""
        ended = done.numpy()
        if self._running is None:
            self._running = np.zeros((2, len(reward)), np.float32)
        self._running[0] += reward.numpy()
        self._running[1] += 1
        if ended.any():
            for total, length in self._running[:, ended].T.tolist():
                self.ended.append((total, int(length)))
                self.count += 1
                self.total += total
                self.newest = total
            self._running[:, ended] = 0.0

    def pop(self) -> list[tuple[float, int]]:
        """Return the episodes ended since the last call as (return, length)."""
        ended, self.ended = self.ended, []
        return ended

    def forget(self, rows: np.ndarray) -> None:
        """Begin anew in the environments of the boolean mask `rows`, shape (N,)."""
        if self._running is not None:
            self._running[:, rows] = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return the running episodes, those not yet asked for, and their number."""
        running = None if self._running is None else torch.from_numpy(self._running.copy())
        return {"running": running, "ended": list(self.ended), "count": self.count, "total": self.total}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self._running = None if state["running"] is None else state["running"].numpy().copy()
        self.ended, self.count, self.total = list(state["ended"]), state["count"], state["total"]
