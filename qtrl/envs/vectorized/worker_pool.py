"""The workers of a vector environment, of which lost ones are restarted."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from qtrl.envs.guards.wrappers import VectorGuard
from qtrl.envs.vectorized.env_group import EnvGroup, Starts, row_layout
from qtrl.envs.vectorized.episode import Array, Record
from qtrl.envs.vectorized.worker import PATIENCE_SECONDS, LostWorkerError, Worker
from qtrl.errors import EnvError, EnvFaultError
from qtrl.specs import EnvSpec

HOUR = 3600.0
ADVICE = "look for its words above, or set env.vector=serial"
START_FACTOR = REPLAY_FACTOR = 10.0
"""Factors on the timeout for making environments, and for replaying one episode."""


class WorkerPool:
    """Steps environments in workers; arguments that are not described here are those of `make_vector_env`.

    A worker that dies or hangs is restarted, with new seeds derived from the old ones. Its rows lose the step under
    way, or else the next one, unless they are reset first. An environment whose code raises loses its episode, see
    `FaultGuard`.
    `docs/reliability.md` says what of this Gymnasium's `AsyncVectorEnv` does not do.

    Args:
        kind: The class of workers.
        make: Makes one environment; pickled for worker processes.
        spec: Its sizes.
        seeds: Of all environments. They seed the generators in a first reset; a collector resets once more, so a run
            begins with each environment's second episode.

    Attributes:
        table: One row for each environment, see `row_layout`; workers write into it.
    """

    def __init__(
        self,
        kind: type[Worker],
        make: Callable[[], VectorGuard],
        spec: EnvSpec,
        seeds: list[int],
        *,
        workers: int,
        timeout: float,
        max_restarts: int,
        log_info: Sequence[str] = (),
    ) -> None:
        num_envs, layout = len(seeds), row_layout(spec, len(log_info))
        buffer = kind.allocate(num_envs * layout.itemsize)
        self.table: Array = np.frombuffer(buffer, layout)
        self.workers: list[Worker] = []
        self._timeout, self._max_restarts = timeout, max_restarts
        self._restarts: deque[float] = deque(maxlen=max(1, max_restarts))
        self._all_restarts = 0
        self._seeds = list(seeds)
        self._cut = np.zeros(num_envs, dtype=np.bool_)  # rows whose worker was lost since their last result
        parts = split_rows(num_envs, workers)
        try:
            for number, part in enumerate(parts, 1):
                name = f"worker process {number} of {len(parts)} for the environments"
                self.workers.append(kind(name, part, make, buffer, layout, log_info))
            deadline = time.monotonic() + START_FACTOR * timeout
            for worker in self.workers:
                worker.wait(deadline)
            self.reset(list(enumerate(seeds)))
        except BaseException as error:
            self.close()
            if isinstance(error, LostWorkerError):
                raise EnvError(f"{error}; {ADVICE}") from None
            raise

    def begin_step(self) -> None:
        """Start a step of all environments."""
        self._send(EnvGroup.step, dict.fromkeys(self.workers, ()))

    def end_step(self) -> None:
        """Wait for the step."""
        self._wait(self.workers, self._timeout)
        cut, table = self._cut, self.table
        if cut.any():
            table["observation"][cut], table["reward"][cut] = self._before[cut], 0.0
            table["terminated"][cut], table["truncated"][cut], table["lost"][cut] = False, True, True
            table["errors"][cut], table["info"][cut] = 0, np.nan
            cut[:] = False

    def reset(self, starts: Starts) -> None:
        """Reset environments; a worker that is lost meanwhile resets its own once more."""
        for index, seed in starts:
            self._seeds[index] = self._seeds[index] if seed is None else seed
        jobs = {each: ([start for start in starts if start[0] in each.indices],) for each in self.workers}
        jobs = {worker: job for worker, job in jobs.items() if job[0]}
        while jobs:
            self._send(EnvGroup.reset, jobs)
            answers = self._wait(jobs, self._timeout)
            jobs = {worker: job for worker, job in jobs.items() if worker not in answers}
        self._cut[[index for index, _ in starts]] = False

    def records(self) -> list[Record | None]:
        """Return `EnvGroup.records` of all workers, by row."""
        self._send(EnvGroup.records, dict.fromkeys(self.workers, ()))
        records: list[Record | None] = [None] * len(self.table)
        for worker, answer in self._wait(self.workers, self._timeout).items():
            for index, record in zip(worker.indices, answer, strict=True):
                records[index] = None if self._cut[index] else record
        return records

    def resume(self, records: Sequence[Record | None], *, step_given: bool) -> Array:
        """Call `EnvGroup.resume` of all workers; return its answers by row, shape (N,)."""
        resumed = np.zeros(len(self.table), dtype=np.bool_)
        self._send(EnvGroup.resume, {each: ([records[i] for i in each.indices], step_given) for each in self.workers})
        most = len(self.workers[0].indices)
        for worker, answer in self._wait(self.workers, REPLAY_FACTOR * self._timeout * most).items():
            resumed[worker.indices] = answer
        lost = np.flatnonzero(self._cut).tolist()
        resumed[lost] = False
        if step_given:
            self.reset([(index, None) for index in lost])
        else:
            self.table["truncated"][lost] = True
        return resumed

    def close(self) -> None:
        """End the workers."""
        for worker in self.workers:
            worker.send(EnvGroup.close)
        deadline = time.monotonic() + PATIENCE_SECONDS
        for worker in self.workers:
            worker.end(max(0.0, deadline - time.monotonic()))

    def _send(self, command: Callable[..., Any], jobs: dict[Worker, tuple[Any, ...]]) -> None:
        """Send a command to workers; keep the newest observations in case one is lost meanwhile."""
        self._before = self.table["observation"].copy()
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
            # Derived from each row's last seed and the number of restarts.
            entropy = ([self._seeds[index], index, self._all_restarts] for index in worker.indices)
            seeds = [int(np.random.SeedSequence(each).generate_state(1)[0]) for each in entropy]
            try:
                worker.wait(time.monotonic() + START_FACTOR * self._timeout)
                worker.send(EnvGroup.reset, list(zip(worker.indices, seeds, strict=True)))
                worker.wait(time.monotonic() + self._timeout)
                loss = None
            except LostWorkerError as again:
                loss = again
        self.table["observation"][worker.indices] = self._before[worker.indices]
        self._cut[worker.indices] = True

    def _announce(self, loss: LostWorkerError) -> None:
        """Count a restart and report it on stderr, or raise when there were too many."""
        now, most = time.monotonic(), self._max_restarts
        while self._restarts and now - self._restarts[0] > HOUR:
            self._restarts.popleft()
        if len(self._restarts) >= most:
            tries = f", {most} workers were started again within an hour before (env.max_restarts)" if most else ""
            raise EnvFaultError(f"{loss}{tries}; {ADVICE}")
        self._restarts.append(now)
        self._all_restarts += 1
        again = f"starting it again ({len(self._restarts)} of {most} times in an hour), its episodes end here"
        print(f"qtrl: {loss}; {again}", file=sys.stderr, flush=True)


def split_rows(num_envs: int, workers: int) -> list[list[int]]:
    """Divide consecutive rows among at most `workers` workers as evenly as possible; the first has the most."""
    return [part.tolist() for part in np.array_split(np.arange(num_envs), min(workers, num_envs))]
