"""A vector environment in worker processes, over rows in shared memory."""

import ctypes
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.util import Finalize
from typing import Any

import gymnasium as gym

from qtrl.envs.base import VectorEnv
from qtrl.envs.lanes import Starts, make_columns, make_lane
from qtrl.errors import EnvError, QtrlError
from qtrl.specs import EnvSpec

STEP, RESET, CLOSE = "step", "reset", "close"
PATIENCE_SECONDS = 5.0
"""How long workers may take to end by themselves."""


class ProcessVectorEnv(VectorEnv):
    """Lanes in processes of their own: of use where a step takes much longer than the 0.1 ms that a message takes.

    Workers are started afresh (`spawn`), so a script needs `if __name__ == "__main__":`, and an environment of one's
    own an id of the form `module:Id-v0`. They end with this process, however it ends.
    """

    def __init__(self, make: Callable[[], gym.Env], num_envs: int, spec: EnvSpec, *, workers: int) -> None:
        # A fork would copy the locks of threads that are not there to open them; TorchRL sets `spawn` as well.
        self._context = get_context("spawn")
        self._buffers: list[Any] = []
        self._layout = (num_envs, spec.observation_size, spec.action_size)
        self._workers: list[_Worker] = []
        super().__init__(make, num_envs, spec, workers=workers)

    def _allocate(self, size: int) -> Any:
        self._buffers.append(self._context.RawArray(ctypes.c_byte, size))
        return self._buffers[-1]

    def _open(self, make: Callable[[], gym.Env], parts: list[list[int]]) -> None:
        try:
            for number, rows in enumerate(parts, 1):
                job = (make, rows, self._layout, self._buffers)
                self._workers.append(_Worker(self._context, f"{number} of {len(parts)}", rows, job))
            self._end()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        for worker in self._workers:
            worker.send(STEP)

    def _end(self) -> None:
        for worker in self._workers:
            worker.wait()

    def _reset(self, starts: Starts) -> None:
        busy = []
        for worker in self._workers:
            own = [start for start in starts if start[0] in worker.rows]
            if own:
                worker.send(RESET, own)
                busy.append(worker)
        for worker in busy:
            worker.wait()

    def close_extras(self, **kwargs: Any) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.send_close()
        deadline = time.monotonic() + PATIENCE_SECONDS
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()))


class _Worker:
    """This side of one worker process."""

    def __init__(self, context: Any, name: str, rows: Sequence[int], job: tuple[Any, ...]) -> None:
        self._name, self.rows = name, rows
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, *job), daemon=True, name=f"environments {name}")
        self._process.start()
        theirs.close()  # so that its end is noticed
        # Python ends daemons by a SIGTERM, which a worker ignores, and waits for them.
        Finalize(self, self._process.kill, exitpriority=10)

    def send(self, command: str, starts: Starts = ()) -> None:
        """Let it do something."""
        try:
            self._connection.send((command, starts))
        except OSError:
            raise self._death() from None

    def wait(self) -> None:
        """Wait until the last command is done."""
        try:
            failure = self._connection.recv()
        except (EOFError, OSError):
            raise self._death() from None
        if failure is not None:
            raise failure

    def send_close(self) -> None:
        """Ask it to end."""
        with suppress(OSError):  # it has ended already
            self._connection.send((CLOSE, ()))

    def join(self, seconds: float) -> None:
        """Wait so long for the process to end, or end it."""
        self._process.join(seconds)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._connection.close()

    def _death(self) -> EnvError:
        self._process.join(PATIENCE_SECONDS)
        return EnvError(
            f"worker process {self._name} for the environments died with exit code {self._process.exitcode}; "
            "look for its words above, or set env.vector=serial"
        )


def _work(
    connection: Connection,
    make: Callable[[], gym.Env],
    rows: Sequence[int],
    layout: tuple[int, int, int],
    buffers: Sequence[Any],
) -> None:
    """Make a lane and obey: the other side hears of each command when it is done, None or what went wrong."""
    for number in (signal.SIGINT, signal.SIGTERM):  # they go to all processes of a job; the other side decides
        signal.signal(number, signal.SIG_IGN)
    remaining = iter(buffers)
    lane = None
    try:
        lane = make_lane(make, rows, make_columns(*layout, lambda size: next(remaining)))
        do = {STEP: lambda starts: lane.step(), RESET: lane.reset}
        connection.send(None)
        while (message := connection.recv())[0] != CLOSE:
            command, starts = message
            do[command](starts)
            connection.send(None)
    except (EOFError, BrokenPipeError):
        pass  # the other side has ended
    except Exception as error:
        connection.send(_failure(error))
    finally:
        if lane is not None:
            lane.close()


def _failure(error: Exception) -> QtrlError:
    if isinstance(error, QtrlError):
        return error
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    return EnvError(f"an environment failed in its worker process: {reason}; env.vector=serial shows where")
