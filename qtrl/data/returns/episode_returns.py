"""Training episodes in several environments at once: their returns and lengths, and which row belongs to which."""

from typing import Any

import numpy as np
import torch
from torch import Tensor


class EpisodeReturns:
    """Undiscounted returns and lengths of the episodes that ended, and the number of the one each environment is in."""

    def __init__(self) -> None:
        self._running: np.ndarray | None = None  # return and length so far, (2, N)
        self._numbers = np.zeros(0, np.int64)  # of the episode that each environment is in, (N,)
        self._begun = 0
        self.ended: list[tuple[float, int]] = []
        self.count = 0
        self.newest: float | None = None
        """Return of the episode that ended last."""
        self.total = 0.0
        """Sum of the returns of all `count` episodes."""

    def positions(self, num_envs: int) -> tuple[Tensor, Tensor]:
        """Return the episode's number and the step in it of the rows that `add` comes for next, both (N, 1) int64."""
        steps = self._started(num_envs)[1].astype(np.int64)
        return torch.from_numpy(self._numbers.copy())[:, None], torch.from_numpy(steps)[:, None]

    def add(self, reward: Tensor, done: Tensor) -> None:
        """Add one step of every environment; `reward` and `done` have shape (N,)."""
        ended = done.numpy()
        running = self._started(len(ended))
        running[0] += reward.numpy()
        running[1] += 1
        if ended.any():
            for total, length in running[:, ended].T.tolist():
                self.ended.append((total, int(length)))
                self.count += 1
                self.total += total
                self.newest = total
            self.forget(ended)

    def pop(self) -> list[tuple[float, int]]:
        """Return the episodes ended since the last call as (return, length)."""
        ended, self.ended = self.ended, []
        return ended

    def forget(self, rows: np.ndarray) -> None:
        """Begin anew in the environments of the boolean mask `rows`, shape (N,)."""
        if self._running is not None:
            self._running[:, rows] = 0.0
            self._numbers[rows] = self._begun + np.arange(rows.sum())
            self._begun += int(rows.sum())

    def _started(self, num_envs: int) -> np.ndarray:
        if self._running is None:
            self._running, self._numbers = np.zeros((2, num_envs), np.float32), np.zeros(num_envs, np.int64)
            self.forget(np.ones(num_envs, np.bool_))
        return self._running

    def state_dict(self) -> dict[str, Any]:
        """Return the running episodes, those not yet asked for, and their number."""
        running = None if self._running is None else torch.from_numpy(self._running.copy())
        numbers = torch.from_numpy(self._numbers.copy())
        ended = {"ended": list(self.ended), "count": self.count, "total": self.total}
        return {"running": running, "numbers": numbers, "begun": self._begun, **ended}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self._running = None if state["running"] is None else state["running"].numpy().copy()
        self._numbers, self._begun = state["numbers"].numpy().copy(), state["begun"]
        self.ended, self.count, self.total = list(state["ended"]), state["count"], state["total"]
