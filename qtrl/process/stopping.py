"""Graceful shutdown: a signal requests it, and the run stops at its next safe point, where everything can be saved."""

import faulthandler
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from qtrl.process.ranks import from_all_ranks

GRACE_SECONDS = 9.0
"""Batch systems send SIGKILL 10 seconds after SIGTERM, or later."""
SHUTDOWN_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Those of batch systems, of Ctrl-C, and of a terminal that closes."""
END = 0
"""Written to the watchdog's pipe to end it; no signal has this number."""
CHECKS_PER_EXCHANGE = 16
"""Calls of `Stop.check` from one exchange among ranks to the next."""


def shutdown_signals() -> tuple[int, ...]:
    """Return the `SHUTDOWN_SIGNALS` of this process, without SIGHUP where it is ignored, as `nohup` asks for."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return tuple(number for number in SHUTDOWN_SIGNALS if number != signal.SIGHUP or not ignored)


class Interruption(SystemExit):
    """Raised at a safe point after a signal requested a shutdown; uncaught, the process exits with 128 + its number."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number

    def __str__(self) -> str:
        return signal.Signals(self.number).name


class Stop:
    """Request of a graceful shutdown, made by a signal and granted between two env steps or updates.

    A second signal ends the process at once, and so does a watchdog after `GRACE_SECONDS`; the last checkpoint on disk
    is then what remains. SIGHUP is never a second one, since the kernel and the shell both send it when a terminal
    closes. The watchdog is a thread, because Python runs a signal handler only after the main thread returns from
    native code. The `world_size` ranks of a run agree to stop at the same check.
    """

    def __init__(self, world_size: int = 1) -> None:
        self._world_size, self._checks, self._number = world_size, 0, 0
        self._taken: set[int] = set()
        self._requeue: Callable | None = None

    def check(self) -> None:
        """Raise an Interruption if a shutdown was requested; every rank must call this equally often."""
        number = self._number
        if self._world_size > 1:
            self._checks += 1
            if self._checks % CHECKS_PER_EXCHANGE:
                return
            number = max(from_all_ranks(number))
        if number:
            raise Interruption(number)

    def check_alone(self) -> None:
        """Check on one rank while others wait for it: does nothing in a run of several ranks."""
        if self._world_size == 1:
            self.check()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle `SHUTDOWN_SIGNALS` as requests in the `with` block; outside the main thread do nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        before = {number: self._take(number) for number in shutdown_signals()}
        before_fd = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        watchdog = threading.Thread(target=self._watch, args=(reading,), daemon=True)
        watchdog.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(before_fd)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.write(writing, bytes([END]))
            watchdog.join()
            os.close(reading)
            os.close(writing)

    def take_over(self) -> None:
        """Install the handlers again after Lightning has set its own at the start of `fit`.

        Lightning's handler of SIGUSR1, by which SLURM announces the end of a job, saves a checkpoint in the middle of
        whatever runs; it is kept for `requeue`.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        for number in shutdown_signals():
            self._take(number)
        if callable(signal.getsignal(signal.SIGUSR1)):
            self._requeue = self._take(signal.SIGUSR1)

    def requeue(self, number: int) -> None:
        """Let Lightning requeue the SLURM job, if the signal was SLURM's."""
        if number == signal.SIGUSR1 and self._requeue is not None:
            self._requeue(number, None)

    def _take(self, number: int) -> Any:
        """Install the handler of one signal; return the previous one."""
        self._taken.add(number)
        return signal.signal(number, self._request)

    def _request(self, number: int, frame: FrameType | None) -> None:
        self._number = self._number or number

    def _watch(self, reading: int) -> None:
        """Watchdog: read signal numbers from the wakeup pipe as they arrive, whatever the main thread does."""
        first, deadline = END, 0.0
        while True:
            patience = max(0.0, deadline - time.monotonic()) if first else None
            if not select.select([reading], [], [], patience)[0]:
                _give_up(first)
            number = os.read(reading, 1)[0]
            if number == END:
                return
            if number in self._taken and first and number != signal.SIGHUP:
                os._exit(128 + number)
            if number in self._taken and not first:
                first, deadline = number, time.monotonic() + GRACE_SECONDS


def _give_up(number: int) -> None:
    faulthandler.dump_traceback(file=2, all_threads=True)  # stderr, whatever `sys.stderr` has been replaced by
    print(f"qtrl: not stopped after {GRACE_SECONDS:g} s; the last checkpoint is kept", file=sys.__stderr__, flush=True)
    os._exit(128 + number)
