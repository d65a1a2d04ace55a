"""Vector environments within this process: stepped one after the other, or by a pool of threads."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import gymnasium as gym

from qtrl.envs.base import VectorEnv
from qtrl.envs.env_group import EnvGroup, Starts
from qtrl.envs.episode import Record


class SerialVectorEnv(VectorEnv):
    """Step all environments one after the other, in the thread that calls `step_wait`."""

    steps_beside = False
    _map: Callable[..., Iterable[Any]] = map

    def _open(self, make: Callable[[], gym.Env], parts: list[list[int]]) -> None:
        self._groups: list[EnvGroup] = []
        try:
            for rows in parts:
                self._groups.append(EnvGroup(make, rows, self._arrays))
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        """Leave the work to `_end`."""

    def _end(self) -> None:
        for group in self._groups:
            group.step()

    def _reset(self, starts: Starts) -> None:
        for group in self._groups:
            group.reset(starts)

    def _records(self) -> list[Record | None]:
        return [record for group in self._groups for record in group.records()]

    def _resume(self, records: list[Record | None], *, step_given: bool) -> list[bool]:
        parts = self._map(lambda group: group.resume([records[row] for row in group.rows], step_given), self._groups)
        return [resumed for part in parts for resumed in part]

    def close_extras(self, **kwargs: Any) -> None:
        """Close the environments."""
        for group in self._groups:
            group.close()


class ThreadVectorEnv(SerialVectorEnv):
    """Step groups of environments in threads: pays where the simulator releases Python's lock, as MuJoCo does."""

    steps_beside = True

    def _open(self, make: Callable[[], gym.Env], parts: list[list[int]]) -> None:
        self._pool = ThreadPoolExecutor(len(parts), "env")
        self._map = self._pool.map
        self._steps: list[Future[None]] = []
        super()._open(make, parts)

    def _begin(self) -> None:
        self._steps = [self._pool.submit(group.step) for group in self._groups]

    def _end(self) -> None:
        for step in self._steps:
            step.result()

    def close_extras(self, **kwargs: Any) -> None:
        """Wait for the step under way, and close the environments."""
        self._pool.shutdown()
        super().close_extras()
