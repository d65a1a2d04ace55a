"""What a worker does: it steps a group of environments and writes the results into a table that all workers share."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qtrl.envs.guards.faults import ERRORS
from qtrl.envs.guards.simulator import LOST
from qtrl.envs.guards.wrappers import VectorGuard
from qtrl.envs.info_means import info_values
from qtrl.envs.vectorized.episode import Array, Episode, Record
from qtrl.specs import EnvSpec

Starts = Sequence[tuple[int, int | None]]
"""Rows of the environments to reset, each with a seed or None."""
RESULTS = ("observation", "reward", "terminated", "truncated", "lost")
"""The columns that workers write; a `lost` step is no valid transition, see `VectorEnv.lost`."""


def row_layout(spec: EnvSpec, n_info: int = 0) -> np.dtype:
    """Return the columns of the table, which has one row for each environment.

    They are its next action, then `RESULTS`, then what is no part of a checkpoint: `errors`, exceptions of the
    environment in the last step and the resets before, and numbers of `info`, NaN where there is none.
    """
    return np.dtype(
        [
            ("action", np.float32, (spec.action_size,)),
            ("observation", np.float32, (spec.observation_size,)),
            ("reward", np.float64),
            ("terminated", np.bool_),
            ("truncated", np.bool_),
            ("lost", np.bool_),
            ("errors", np.int32),
            ("info", np.float64, (n_info,)),
        ],
        align=True,
    )


class EnvGroup:
    """The environments of one worker, stepped one after the other.

    Args:
        indices: Of their rows in the table.
        make: Makes one environment; where one fails, those made before are closed.
        buffer: The memory of the table.
        layout: See `row_layout`.
        log_info: K keys of `info` whose values are written.
    """

    def __init__(
        self,
        indices: Sequence[int],
        make: Callable[[], VectorGuard],
        buffer: Any,
        layout: np.dtype,
        log_info: Sequence[str] = (),
    ) -> None:
        self._log_info = log_info
        table: Array = np.frombuffer(buffer, layout)
        self._envs: dict[int, tuple[Episode, Any]] = {}
        try:
            for index in indices:
                env = make()
                self._envs[index] = Episode(env), table[index]
                env.check_sizes(table["observation"].shape[1], table["action"].shape[1])
        except BaseException:
            self.close()
            raise

    def step(self) -> None:
        """Take the actions and write the results; an episode that ends leaves its true last observation."""
        for episode, row in self._envs.values():
            row["observation"], row["reward"], row["terminated"], row["truncated"], info = episode.step(row["action"])
            row["lost"], row["errors"] = LOST in info, info.get(ERRORS, 0)
            if self._log_info:
                row["info"] = info_values(info, self._log_info)

    def reset(self, starts: Starts) -> None:
        """Begin episodes and write their observations."""
        for index, seed in starts:
            episode, row = self._envs[index]
            row["observation"] = episode.reset(seed)

    def records(self) -> list[Record | None]:
        """Return the episodes so far; None for each that cannot be replayed."""
        return [episode.record() for episode, _ in self._envs.values()]

    def resume(self, records: Sequence[Record | None], step_given: bool) -> list[bool]:
        """Replay episodes up to the last step, whose results the table holds, and return which were resumed by that.

        In place of another one a new episode begins if the caller was given that step; otherwise the step under way
        truncates the old one.
        """
        resumed = []
        for (episode, row), record in zip(self._envs.values(), records, strict=True):
            newest = (row["observation"], row["reward"], row["terminated"], row["truncated"])
            resumed.append(record is not None and episode.resume(record, newest))
            if resumed[-1] and self._log_info:
                row["info"] = info_values(episode.info, self._log_info)
            if not resumed[-1] and step_given:
                row["observation"] = episode.reset()
            elif not resumed[-1]:
                row["truncated"] = True
        return resumed

    def close(self) -> None:
        """Close the environments."""
        for episode, _ in self._envs.values():
            episode.close()
