"""A vector environment in worker processes, over rows in shared memory."""

import ctypes
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from multiprocessing import get_context
from typing import Any

import gymnasium as gym
import numpy as np

from qtrl.envs.base import VectorEnv
from qtrl.envs.episode import Record
from qtrl.envs.lanes import Starts, Workers
from qtrl.envs.worker import CLOSE, PATIENCE_SECONDS, RECORDS, RESET, RESUME, STEP, LostWorkerError, Worker
from qtrl.errors import EnvError
from qtrl.specs import EnvSpec

HOUR = 3600.0
ADVICE = "look for its words above, or set env.vector=serial"
LONGER = 10.0
"""How many times longer than a step it may take to make environments, or to play an episode again."""
Jobs = dict[Worker, tuple[Any, ...]]
"""The arguments of a command for each worker."""


class ProcessVectorEnv(VectorEnv):
    """Lanes in processes of their own: of use where a step takes much longer than the 0.1 ms that a message takes.

    Workers are started afresh (`spawn`), so a script needs `if __name__ == "__main__":`, and an environment of one's
    own an id of the form `module:Id-v0`. They end with this process, however it ends, and with the thread that made
    them.

    A worker that dies or hangs is started again, with seeds that follow from its old ones. The step under way, or else
    the next one, is lost in its rows, unless they are reset before. An environment that raises ends everything.
    """

    def __init__(self, make: Callable[[], gym.Env], num_envs: int, spec: EnvSpec, workers: Workers) -> None:
        # A fork would copy the locks of threads that are not there to open them; TorchRL sets `spawn` as well.
        self._context = get_context("spawn")
        self._buffers: list[Any] = []
        self._layout = (num_envs, spec.observation_size, spec.action_size)
        self._workers: list[Worker] = []
        self._timeout, self._max_restarts = workers.timeout, workers.max_restarts
        self._restarts: deque[float] = deque(maxlen=max(1, workers.max_restarts))
        self._all_restarts = 0
        self._seeds = [0] * num_envs
        self._cut = np.zeros(num_envs, dtype=np.bool_)  # rows whose worker was lost since they were given
        self._before = np.zeros((num_envs, spec.observation_size), np.float32)
        super().__init__(make, num_envs, spec, workers)

    def _allocate(self, size: int) -> Any:
        self._buffers.append(self._context.RawArray(ctypes.c_byte, size))
        return self._buffers[-1]

    def _open(self, make: Callable[[], gym.Env], parts: list[list[int]]) -> None:
        try:
            for number, rows in enumerate(parts, 1):
                job = (make, self._layout, self._buffers)
                self._workers.append(Worker(self._context, f"{number} of {len(parts)}", rows, job))
            deadline = time.monotonic() + LONGER * self._timeout
            for worker in self._workers:
                worker.wait(deadline)
        except LostWorkerError as loss:
            self.close()
            raise EnvError(f"{loss}; {ADVICE}") from None
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        self._send(STEP, dict.fromkeys(self._workers, ()))

    def _end(self) -> None:
        self._wait(self._workers, self._timeout)
        cut, (_, observation, reward, terminated, truncated, lost) = self._cut, self._columns
        if cut.any():
            observation[cut], reward[cut] = self._before[cut], 0.0
            terminated[cut], truncated[cut], lost[cut] = False, True, True
            cut[:] = False

    def _reset(self, starts: Starts) -> None:
        for row, seed in starts:
            self._seeds[row] = self._seeds[row] if seed is None else seed
        jobs = {}
        for worker in self._workers:
            own = [start for start in starts if start[0] in worker.rows]
            if own:
                jobs[worker] = (own,)
        while jobs:
            self._send(RESET, jobs)
            answers = self._wait(jobs, self._timeout)
            jobs = {worker: job for worker, job in jobs.items() if worker not in answers}
        self._cut[[row for row, _ in starts]] = False

    def _records(self) -> list[Record | None]:
        self._send(RECORDS, dict.fromkeys(self._workers, ()))
        records: list[Record | None] = [None] * self.num_envs
        for worker, answer in self._wait(self._workers, self._timeout).items():
            for row, record in zip(worker.rows, answer, strict=True):
                records[row] = None if self._cut[row] else record
        return records

    def _resume(self, records: list[Record | None], *, step_given: bool) -> list[bool]:
        went_on = [False] * self.num_envs
        for turn in range(len(self._workers[0].rows)):  # none has more
            rows = {worker: worker.rows[turn] for worker in self._workers if turn < len(worker.rows)}
            self._send(RESUME, {worker: (row, records[row], step_given) for worker, row in rows.items()})
            for worker, answer in self._wait(rows, LONGER * self._timeout).items():
                went_on[rows[worker]] = answer
        lost = np.flatnonzero(self._cut).tolist()
        if step_given:
            self._reset([(row, None) for row in lost])
        else:
            self._columns.truncated[lost] = True
        return [went_on[row] and row not in lost for row in range(self.num_envs)]

    def close_extras(self, **kwargs: Any) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.send(CLOSE)
        deadline = time.monotonic() + PATIENCE_SECONDS
        for worker in self._workers:
            worker.end(max(0.0, deadline - time.monotonic()))

    def _send(self, command: str, jobs: Jobs) -> None:
        """Let workers do something, and keep the newest observations in case that one is lost meanwhile."""
        self._before[:] = self._columns.observation
        for worker, arguments in jobs.items():
            worker.send(command, *arguments)

    def _wait(self, workers: Iterable[Worker], seconds: float) -> dict[Worker, Any]:
        """Return the answers of all but the lost ones, which have been started again."""
        deadline = time.monotonic() + seconds
        answers = {}
        for worker in workers:
            try:
                answers[worker] = worker.wait(deadline)
            except LostWorkerError as loss:
                self._restart(worker, loss)
        return answers

    def _restart(self, worker: Worker, loss: LostWorkerError | None) -> None:
        """Start a worker again until it has begun episodes of which nobody is told."""
        while loss is not None:
            worker.end(0.0)
            self._announce(loss)
            worker.start()
            seeds = [self._fresh_seed(row) for row in worker.rows]
            try:
                worker.wait(time.monotonic() + LONGER * self._timeout)
                worker.send(RESET, list(zip(worker.rows, seeds, strict=True)))
                worker.wait(time.monotonic() + self._timeout)
                loss = None
            except LostWorkerError as again:
                loss = again
        self._columns.observation[worker.rows] = self._before[worker.rows]
        self._cut[worker.rows] = True

    def _announce(self, loss: LostWorkerError) -> None:
        """Count a restart and say it, or raise."""
        now, most = time.monotonic(), self._max_restarts
        while self._restarts and now - self._restarts[0] > HOUR:
            self._restarts.popleft()
        if len(self._restarts) >= most:
            tries = f", {most} workers were started again within an hour before (env.max_restarts)" if most else ""
            raise EnvError(f"{loss}{tries}; {ADVICE}")
        self._restarts.append(now)
        self._all_restarts += 1
        again = f"starting it again ({len(self._restarts)} of {most} times in an hour), its episodes end here"
        print(f"qtrl: {loss}; {again}", file=sys.stderr, flush=True)

    def _fresh_seed(self, row: int) -> int:
        """Give a seed that follows from the row's own and the number of restarts."""
        return int(np.random.SeedSequence([self._seeds[row], row, self._all_restarts]).generate_state(1)[0])
