"""Vector environments in this process: one after the other, or in threads."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import gymnasium as gym

from qtrl.envs.base import VectorEnv
from qtrl.envs.episode import Record
from qtrl.envs.lanes import Lane, Starts, make_lane


class SerialVectorEnv(VectorEnv):
    """All environments one after the other, in the thread that waits for them."""

    steps_beside = False

    def _open(self, make: Callable[[], gym.Env], parts: list[list[int]]) -> None:
        self._lane = make_lane(make, range(self.num_envs), self._columns)

    def _begin(self) -> None:
        """Leave the work to `_end`."""

    def _end(self) -> None:
        self._lane.step()

    def _reset(self, starts: Starts) -> None:
        self._lane.reset(starts)

    def _records(self) -> list[Record | None]:
        return self._lane.records()

    def _resume(self, records: list[Record | None], *, step_given: bool) -> list[bool]:
        return self._lane.resume_all(records, step_given=step_given)

    def close_extras(self, **kwargs: Any) -> None:
        """Close the environments."""
        self._lane.close()


class ThreadVectorEnv(VectorEnv):
    """Lanes in threads of this process: of use where the simulator works outside Python's lock, as MuJoCo does."""

    def _open(self, make: Callable[[], gym.Env], parts: list[list[int]]) -> None:
        self._lanes: list[Lane] = []
        self._steps: list[Future[None]] = []
        self._pool = ThreadPoolExecutor(len(parts), "env")
        try:
            for part in parts:
                self._lanes.append(make_lane(make, part, self._columns))
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        self._steps = [self._pool.submit(lane.step) for lane in self._lanes]

    def _end(self) -> None:
        for step in self._steps:
            step.result()

    def _reset(self, starts: Starts) -> None:
        for lane in self._lanes:
            lane.reset(starts)

    def _records(self) -> list[Record | None]:
        return [record for lane in self._lanes for record in lane.records()]

    def _resume(self, records: list[Record | None], *, step_given: bool) -> list[bool]:
        parts = self._pool.map(lambda lane: lane.resume_all(records, step_given=step_given), self._lanes)
        return [went_on for part in parts for went_on in part]

    def close_extras(self, **kwargs: Any) -> None:
        """Wait for a step under way, and close the environments."""
        self._pool.shutdown()
        for lane in self._lanes:
            lane.close()
