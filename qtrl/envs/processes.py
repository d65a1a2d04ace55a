"""A vector environment in worker processes, which exchange data through shared memory and are restarted when lost."""

import ctypes
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from multiprocessing import get_context
from typing import Any

import gymnasium as gym
import numpy as np

from qtrl.envs.base import VectorEnv, WorkerOptions
from qtrl.envs.env_group import Starts
from qtrl.envs.episode import Record
from qtrl.envs.worker import CLOSE, PATIENCE_SECONDS, RECORDS, RESET, RESUME, STEP, LostWorkerError, Worker
from qtrl.errors import EnvError
from qtrl.specs import EnvSpec

HOUR = 3600.0
ADVICE = "look for its words above, or set env.vector=serial"
START_FACTOR = REPLAY_FACTOR = 10.0
"""Factors on the timeout for making environments, and for replaying one episode."""
Jobs = dict[Worker, tuple[Any, ...]]
"""The arguments of a command for each worker."""


class ProcessVectorEnv(VectorEnv):
    """Step groups of environments in worker processes: pays where a step takes much longer than a message's 0.1 ms.

    Workers are spawned, so a script needs `if __name__ == "__main__":`, and a custom environment an id of the form
    `module:Id-v0`. They end with this process, however it ends, and with the thread that made them.

    A worker that dies or hangs is restarted, with new seeds derived from the old ones. Its rows lose the step under
    way, or else the next one, unless they are reset first. An environment that raises stops everything.
    `docs/reliability.md` says what of this Gymnasium's `AsyncVectorEnv` does not do.
    """

    def __init__(self, make: Callable[[], gym.Env], num_envs: int, spec: EnvSpec, workers: WorkerOptions) -> None:
        # A fork would copy locks held by other threads; TorchRL sets `spawn` as well.
        self._context = get_context("spawn")
        self._buffers: list[Any] = []
        self._layout = (num_envs, spec.observation_size, spec.action_size)
        self._workers: list[Worker] = []
        self._timeout, self._max_restarts = workers.timeout, workers.max_restarts
        self._restarts: deque[float] = deque(maxlen=max(1, workers.max_restarts))
        self._all_restarts = 0
        self._seeds = [0] * num_envs
        self._cut = np.zeros(num_envs, dtype=np.bool_)  # rows whose worker was lost since their last result
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
            deadline = time.monotonic() + START_FACTOR * self._timeout
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
        cut, (_, observation, reward, terminated, truncated, lost) = self._cut, self._arrays
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
        resumed = np.zeros(self.num_envs, dtype=np.bool_)
        self._send(RESUME, {each: ([records[row] for row in each.rows], step_given) for each in self._workers})
        most_rows = len(self._workers[0].rows)
        for worker, answer in self._wait(self._workers, REPLAY_FACTOR * self._timeout * most_rows).items():
            resumed[worker.rows] = answer
        lost = np.flatnonzero(self._cut).tolist()
        resumed[lost] = False
        if step_given:
            self._reset([(row, None) for row in lost])
        else:
            self._arrays.truncated[lost] = True
        return resumed.tolist()

    def close_extras(self, **kwargs: Any) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.send(CLOSE)
        deadline = time.monotonic() + PATIENCE_SECONDS
        for worker in self._workers:
            worker.end(max(0.0, deadline - time.monotonic()))

    def _send(self, command: str, jobs: Jobs) -> None:
        """Send a command to workers; keep the newest observations in case one is lost meanwhile."""
        self._before[:] = self._arrays.observation
        for worker, arguments in jobs.items():
            worker.send(command, *arguments)

    def _wait(self, workers: Iterable[Worker], seconds: float) -> dict[Worker, Any]:
        """Return the answers of the workers, but for those that were lost and restarted."""
        deadline = time.monotonic() + seconds
        answers = {}
        for worker in workers:
            try:
                answers[worker] = worker.wait(deadline)
            except LostWorkerError as loss:
                self._restart(worker, loss)
        return answers

    def _restart(self, worker: Worker, loss: LostWorkerError | None) -> None:
        """Restart a worker until it has reset its environments."""
        while loss is not None:
            worker.end(0.0)
            self._announce(loss)
            worker.start()
            seeds = [self._fresh_seed(row) for row in worker.rows]
            try:
                worker.wait(time.monotonic() + START_FACTOR * self._timeout)
                worker.send(RESET, list(zip(worker.rows, seeds, strict=True)))
                worker.wait(time.monotonic() + self._timeout)
                loss = None
            except LostWorkerError as again:
                loss = again
        self._arrays.observation[worker.rows] = self._before[worker.rows]
        self._cut[worker.rows] = True

    def _announce(self, loss: LostWorkerError) -> None:
        """Count a restart and report it on stderr, or raise when there were too many."""
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
        """Derive a seed from the row's last one and the number of restarts."""
        return int(np.random.SeedSequence([self._seeds[row], row, self._all_restarts]).generate_state(1)[0])
