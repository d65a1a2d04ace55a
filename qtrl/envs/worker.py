"""Both sides of one worker process that steps a lane of environments."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from multiprocessing.util import Finalize
from selectors import EVENT_READ, DefaultSelector
from typing import Any

import gymnasium as gym

from qtrl.envs.lanes import Lane, make_columns, make_lane
from qtrl.errors import EnvError, QtrlError

STEP, RESET, RECORDS, RESUME, CLOSE = "step", "reset", "records", "resume", "close"
FROM_TERMINALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE_SECONDS = 5.0
"""How long a worker may take to end, by itself or killed."""
DEATH_SIGNAL_OF_PARENT = 1
"""PR_SET_PDEATHSIG of Linux's prctl."""


class LostWorkerError(EnvError):
    """A worker process died, or did not answer in time."""


class Worker:
    """This side of one worker process.

    Args:
        context: Of `multiprocessing`.
        name: What errors call it.
        rows: The rows of its environments.
        job: How to make the environments, the layout of the columns, and their buffers; see `_work`.
    """

    def __init__(self, context: Any, name: str, rows: Sequence[int], job: tuple[Any, ...]) -> None:
        self.name, self.rows = f"worker process {name} for the environments", rows
        self._context, (make, *memory) = context, job
        self._job = (make, rows, *memory)
        self.start()

    def start(self) -> None:
        """Start the process, which answers once it has made its environments."""
        self._connection, theirs = self._context.Pipe()
        self._answers = DefaultSelector()  # kept, since `Connection.poll` makes one each time
        self._answers.register(self._connection, EVENT_READ)
        self._process = self._context.Process(target=_work, args=(theirs, *self._job), daemon=True, name=self.name)
        # It begins with these signals blocked: until it ignores them, a terminal's Ctrl-C would end it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, FROM_TERMINALS)
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()  # so that its end is noticed
        # Python ends daemons by a SIGTERM, which a worker ignores, and waits for them.
        self._finalizer = Finalize(self, self._process.kill, exitpriority=10)

    def send(self, command: str, *arguments: Any) -> None:
        """Let it do something; `wait` tells whether it lives."""
        with suppress(OSError):
            self._connection.send((command, arguments))

    def wait(self, deadline: float) -> Any:
        """Wait until the last command is done, and return its answer.

        Args:
            deadline: On the monotonic clock, in seconds.

        Raises:
            EnvError: What went wrong in an environment.
            LostWorkerError: It died, or has not answered by the deadline.
        """
        try:
            if not self._answers.select(max(0.0, deadline - time.monotonic())):
                raise LostWorkerError(f"{self.name} did not answer in the time that env.timeout allows")
            failure, answer = self._connection.recv()
        except (EOFError, OSError):
            self._process.join(PATIENCE_SECONDS)
            raise LostWorkerError(f"{self.name} died with exit code {self._process.exitcode}") from None
        if failure is not None:
            raise failure
        return answer

    def end(self, seconds: float) -> None:
        """Wait so long for the process to end by itself, or kill it."""
        self._process.join(seconds)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(PATIENCE_SECONDS)
        self._finalizer.cancel()
        self._answers.close()
        self._connection.close()


def _work(
    connection: Connection,
    make: Callable[[], gym.Env],
    rows: Sequence[int],
    layout: tuple[int, int, int],
    buffers: Sequence[Any],
) -> None:
    """Make a lane and obey: the other side hears of each command when it is done, what went wrong and the answer."""
    for number in FROM_TERMINALS:  # they go to all processes of a job; the other side decides
        signal.signal(number, signal.SIG_IGN)
    _end_with_parent()
    remaining = iter(buffers)
    lane = None
    try:
        lane = make_lane(make, rows, make_columns(*layout, lambda size: next(remaining)))
        connection.send((None, None))
        _obey(connection, lane)
    except (EOFError, BrokenPipeError):
        pass  # the other side has ended
    except Exception as error:
        connection.send((_failure(error), None))
    finally:
        if lane is not None:
            lane.close()


def _obey(connection: Connection, lane: Lane) -> None:
    commands: dict[str, Callable[..., Any]] = {
        STEP: lane.step,
        RESET: lane.reset,
        RECORDS: lane.records,
        RESUME: lane.resume,
    }
    while (message := connection.recv())[0] != CLOSE:
        command, arguments = message
        connection.send((None, commands[command](*arguments)))


def _end_with_parent() -> None:
    """Let the kernel kill this process when the thread that started it ends, whatever an environment is doing then.

    Other systems than Linux have nothing like it: there the closed connection is noticed after the next command.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(DEATH_SIGNAL_OF_PARENT, signal.SIGKILL)
    parent = parent_process()
    if parent is not None and parent.pid != os.getppid():  # it ended before it could be watched
        os._exit(1)


def _failure(error: Exception) -> QtrlError:
    if isinstance(error, QtrlError):
        return error
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    return EnvError(f"an environment failed in its worker process: {reason}; env.vector=serial shows where")
