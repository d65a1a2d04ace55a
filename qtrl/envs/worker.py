"""One worker process that steps a group of environments: its handle in the parent, and the loop that it runs."""

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

from qtrl.envs.env_group import EnvGroup
from qtrl.envs.shared_memory import make_arrays
from qtrl.errors import EnvError, QtrlError

STEP, RESET, RECORDS, RESUME, CLOSE = "step", "reset", "records", "resume", "close"
GROUP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Signals that terminals and batch systems send to all processes of a job; workers leave them to their parent."""
PATIENCE_SECONDS = 5.0
"""Time limit for a worker to end, by itself or killed."""
PR_SET_PDEATHSIG = 1
"""Option of Linux's prctl: the signal that this process gets when the thread that started it ends."""


class LostWorkerError(EnvError):
    """A worker process died, or did not answer in time."""


class Worker:
    """The parent's handle of one worker process.

    Args:
        context: Of `multiprocessing`.
        name: Its name in errors.
        rows: The rows of its environments.
        job: How to make one environment, the layout of the arrays, and their buffers; see `_work`.
    """

    def __init__(self, context: Any, name: str, rows: Sequence[int], job: tuple[Any, ...]) -> None:
        self.name, self.rows = f"worker process {name} for the environments", rows
        self._context, (make, *memory) = context, job
        self._job = (make, rows, *memory)
        self.start()

    def start(self) -> None:
        """Start the process; its first answer says that its environments are made."""
        self._connection, theirs = self._context.Pipe()
        self._answers = DefaultSelector()  # kept, since `Connection.poll` makes one each time
        self._answers.register(self._connection, EVENT_READ)
        self._process = self._context.Process(target=_work, args=(theirs, *self._job), daemon=True, name=self.name)
        # Signals are blocked in the child until it ignores them: a Ctrl-C in between would end it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP_SIGNALS)
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()  # so that the end of the process is an end of file here
        # At exit Python sends daemons SIGTERM, which a worker ignores, and joins them.
        self._finalizer = Finalize(self, self._process.kill, exitpriority=10)

    def send(self, command: str, *arguments: Any) -> None:
        """Send a command; a dead worker is noticed by `wait`."""
        with suppress(OSError):
            self._connection.send((command, arguments))

    def wait(self, deadline: float) -> Any:
        """Wait for the answer to the last command.

        Args:
            deadline: On the monotonic clock, in seconds.

        Raises:
            EnvError: An environment failed.
            LostWorkerError: The process died, or did not answer by the deadline.
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
        """Give the process this long to end by itself, then kill it."""
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
    """Make the environments and serve commands; each is answered by a pair of an error or None, and the result."""
    for number in GROUP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    _end_with_parent()
    remaining = iter(buffers)
    group = None
    try:
        group = EnvGroup(make, rows, make_arrays(*layout, lambda size: next(remaining)))
        connection.send((None, None))
        _serve(connection, group)
    except (EOFError, BrokenPipeError):
        pass  # the parent has ended
    except Exception as error:
        connection.send((_failure(error), None))
    finally:
        if group is not None:
            group.close()


def _serve(connection: Connection, group: EnvGroup) -> None:
    commands: dict[str, Callable[..., Any]] = {
        STEP: group.step,
        RESET: group.reset,
        RECORDS: group.records,
        RESUME: group.resume,
    }
    while (message := connection.recv())[0] != CLOSE:
        command, arguments = message
        connection.send((None, commands[command](*arguments)))


def _end_with_parent() -> None:
    """Let the kernel kill this process when the thread that started it ends, even while an environment hangs.

    Only Linux has this; elsewhere the closed connection is noticed after the current command.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = parent_process()
    if parent is not None and parent.pid != os.getppid():  # it ended before the call above
        os._exit(1)


def _failure(error: Exception) -> QtrlError:
    if isinstance(error, QtrlError):
        return error
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    return EnvError(f"an environment failed in its worker process: {reason}; env.vector=serial shows where")
