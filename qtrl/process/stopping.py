"""Ending early without losing anything: a wish to stop, and the places where a run looks whether there is one."""

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
"""How long a stopping run may take to save; batch systems kill 10 seconds after the signal, or later."""
STDERR = 2
"""Its descriptor, whatever `sys.stderr` has become."""
WISHES = (signal.SIGTERM, signal.SIGINT)
END = 0
"""Ends the thread that watches; no signal has this number."""
LOOK_TOGETHER_EVERY = 16
"""Looks from one exchange among ranks to the next."""


class Interruption(SystemExit):
    """A signal asked the run to stop, and it is where it can; uncaught, the process ends with 128 + the signal.

    Args:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number

    def __str__(self) -> str:
        return signal.Signals(self.number).name


class Stop:
    """The wish to stop: set by a signal, met between two env steps or updates, when everything fits together.

    A second signal ends the process at once, and so does a run that has not stopped after `GRACE_SECONDS`: the last
    checkpoint on the disk is then what is left. A thread sees to that, since Python runs a handler only when the main
    thread comes back from whatever library it is in.

    Attributes:
        world_size: Ranks of the run; several of them stop at the same place.
    """

    def __init__(self, world_size: int = 1) -> None:
        self.world_size, self._looks = world_size, 0
        self._number = 0
        self._taken: set[int] = set()
        self._requeue: Callable | None = None

    def check(self) -> None:
        """Stop here if that is wished; in a run of several ranks all of them must call this equally often.

        Raises:
            Interruption: A signal came.
        """
        number = self._number
        if self.world_size > 1:
            self._looks += 1
            if self._looks % LOOK_TOGETHER_EVERY:
                return
            number = max(from_all_ranks(number))
        if number:
            raise Interruption(number)

    def check_alone(self) -> None:
        """Stop here if that is wished, where one rank works while others wait for it: only in a run of a single rank.

        Raises:
            Interruption: A signal came.
        """
        if self.world_size == 1:
            self.check()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT as wishes to stop in the `with` block, in the main thread; elsewhere do nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        before = {number: self._take(number) for number in WISHES}
        before_fd = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        watch = threading.Thread(target=self._watch, args=(reading,), daemon=True)
        watch.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(before_fd)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.write(writing, bytes([END]))
            watch.join()
            os.close(reading)
            os.close(writing)

    def take_over(self) -> None:
        """Take signals back from Lightning, which sets handlers of its own when `fit` begins.

        Its handler for the signal by which SLURM announces the end of a job writes a checkpoint in the middle of
        whatever is under way; it is kept for `requeue`.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        for number in WISHES:
            self._take(number)
        if callable(signal.getsignal(signal.SIGUSR1)):
            self._requeue = self._take(signal.SIGUSR1)

    def requeue(self, number: int) -> None:
        """Let Lightning put the job back into SLURM's queue, if that is what the signal was about."""
        if number == signal.SIGUSR1 and self._requeue is not None:
            self._requeue(number, None)

    def _take(self, number: int) -> Any:
        """Handle a signal from now on; return what handled it before."""
        self._taken.add(number)
        return signal.signal(number, self._request)

    def _request(self, number: int, frame: FrameType | None) -> None:
        self._number = self._number or number

    def _watch(self, reading: int) -> None:
        """Read the numbers of signals as they arrive, whatever the main thread does."""
        first, deadline = END, 0.0
        while True:
            patience = max(0.0, deadline - time.monotonic()) if first else None
            if not select.select([reading], [], [], patience)[0]:
                _give_up(first)
            number = os.read(reading, 1)[0]
            if number == END:
                return
            if number in self._taken and first:
                os._exit(128 + number)
            if number in self._taken:
                first, deadline = number, time.monotonic() + GRACE_SECONDS


def _give_up(number: int) -> None:
    faulthandler.dump_traceback(file=STDERR, all_threads=True)
    print(f"qtrl: not stopped after {GRACE_SECONDS:g} s; the last checkpoint is kept", file=sys.__stderr__, flush=True)
    os._exit(128 + number)
