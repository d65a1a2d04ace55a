"""Workers, each of which steps a group of environments: in this thread, in a thread of its own or in a process."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.util import Finalize
from selectors import EVENT_READ, DefaultSelector
from typing import Any

from qtrl.envs.vectorized.env_group import EnvGroup
from qtrl.errors import EnvError, QtrlError

SPAWN = get_context("spawn")
"""A fork would copy locks held by other threads; TorchRL sets `spawn` as well."""
GROUP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that terminals and batch systems send to all processes of a job; workers leave them to their parent."""
PATIENCE_SECONDS = 5.0
"""Time limit for a worker to end, by itself or killed."""


class LostWorkerError(EnvError):
    """A worker process died, or did not answer in time."""


class Worker:
    """Carries out commands, methods of `EnvGroup`, one at a time: this one in the thread that calls `wait`.

    Args:
        name: In errors.
        indices, others: The arguments of `EnvGroup`; pickled for worker processes.
    """

    steps_beside = False
    """Whether environments are stepped while the thread that sent the command does something else."""

    def __init__(self, name: str, indices: Sequence[int], *others: Any) -> None:
        self.name, self.indices = name, indices
        self._group = (indices, *others)
        self.start()

    @staticmethod
    def allocate(size: int) -> Any:
        """Return a zeroed buffer of `size` bytes that the worker can access."""
        return bytearray(size)

    def start(self) -> None:
        """Make the environments; done when `wait` returns."""
        self._envs = EnvGroup(*self._group)
        self._result: Callable[[], Any] = lambda: None

    def send(self, command: Callable[..., Any], *arguments: Any) -> None:
        """Send a command, whose result `wait` returns."""
        self._result = partial(command, self._envs, *arguments)

    def wait(self, deadline: float) -> Any:
        """Return the result of the last command.

        Raises:
            EnvError: An environment failed.
            LostWorkerError: A process died, or did not answer by the deadline (seconds on the monotonic clock).
        """
        return self._result()

    def end(self, seconds: float) -> None:
        """Wait this long for the worker to end after the command `EnvGroup.close`, then kill it if it is a process."""
        self._result()


class ThreadWorker(Worker):
    """Works in a thread: pays where the simulator releases Python's lock, as MuJoCo does."""

    steps_beside = True

    def start(self) -> None:
        """Make the environments, in this thread, and prepare another."""
        super().start()
        self._pool = ThreadPoolExecutor(1, "env")

    def send(self, command: Callable[..., Any], *arguments: Any) -> None:
        """Let the thread work."""
        self._result = self._pool.submit(command, self._envs, *arguments).result

    def end(self, seconds: float) -> None:
        """Wait for the thread, without a limit."""
        self._pool.shutdown()
        super().end(seconds)


class ProcessWorker(Worker):
    """Works in a process: pays where a step takes much longer than a message's 0.1 ms.

    Processes are spawned, so a script needs `if __name__ == "__main__":`, and a custom environment an id of the form
    `module:Id-v0`. They end with this process, however it ends, and with the thread that started them.
    """

    steps_beside = True

    @staticmethod
    def allocate(size: int) -> Any:
        """Return shared memory."""
        return SPAWN.RawArray(ctypes.c_byte, size)

    def start(self) -> None:
        """Start the process; its first answer says that its environments are made."""
        self._connection, theirs = SPAWN.Pipe()
        self._answers = DefaultSelector()  # kept, since `Connection.poll` makes one each time
        self._answers.register(self._connection, EVENT_READ)
        self._process = SPAWN.Process(target=_work, args=(theirs, *self._group), daemon=True, name=self.name)
        # Signals are blocked in the child until it ignores them: a Ctrl-C in between would end it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP_SIGNALS)
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()  # so that the end of the process is an end of file here
        # At exit Python sends daemons SIGTERM, which a worker ignores, and joins them.
        self._finalizer = Finalize(self, self._process.kill, exitpriority=10)

    def send(self, command: Callable[..., Any], *arguments: Any) -> None:
        """Send a command; a dead worker is noticed by `wait`."""
        with suppress(OSError):
            self._connection.send((command, arguments))

    def wait(self, deadline: float) -> Any:
        """Wait for the answer."""
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


def _work(connection: Connection, *group: Any) -> None:
    """Make the environments and serve commands; each is answered by a pair of an error or None, and the result."""
    for number in GROUP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    _end_with_parent()
    with ExitStack() as stack:
        try:
            envs = stack.enter_context(closing(EnvGroup(*group)))
            connection.send((None, None))
            while (message := connection.recv())[0] is not EnvGroup.close:
                command, arguments = message
                connection.send((None, command(envs, *arguments)))
        except (EOFError, BrokenPipeError):
            pass  # the parent has ended
        except QtrlError as error:
            connection.send((error, None))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            words = f"an environment failed in its worker process: {reason}; env.vector=serial shows where"
            connection.send((EnvError(words), None))


def _end_with_parent() -> None:
    """Let the kernel kill this process when the thread that started it ends, even while an environment hangs."""
    if sys.platform == "linux":  # elsewhere the closed connection is noticed after the current command
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        parent = parent_process()
        if parent is not None and parent.pid != os.getppid():  # it ended before the call above
            os._exit(1)
