"""Ending early without losing anything: a wish to stop, and the places where a run looks whether there is one."""

import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from qtrl.ranks import from_all_ranks

GRACE_SECONDS = 9.0
"""How long a stopping run may take to save; batch systems kill 10 seconds after the signal, or later."""
STDERR = 2
"""Its descriptor, whatever `sys.stderr` has become."""
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
    checkpoint on the disk is then what is left.

    Attributes:
        world_size: Ranks of the run; several of them stop at the same place.
    """

    def __init__(self, world_size: int = 1) -> None:
        self.world_size, self._looks = world_size, 0
        self._number = 0
        self._watchdog: threading.Timer | None = None
        self._before: dict[int, Callable | int | None] = {}

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
        before = {number: signal.signal(number, self._request) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            if self._watchdog is not None:
                self._watchdog.cancel()
                self._watchdog.join()
            for number, handler in before.items():
                signal.signal(number, handler)

    def take_over(self) -> None:
        """Take signals back from Lightning, which sets handlers of its own when `fit` begins.

        Its handler for the signal by which SLURM announces the end of a job writes a checkpoint in the middle of
        whatever is under way; it is kept for `requeue`.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._request)
        if callable(signal.getsignal(signal.SIGUSR1)):
            self._before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, self._request)

    def requeue(self, number: int) -> None:
        """Let Lightning put the job back into SLURM's queue, if that is what the signal was about."""
        handler = self._before.get(number)
        if callable(handler):
            handler(number, None)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self._number:
            os._exit(128 + number)
        self._number = number
        self._watchdog = threading.Timer(GRACE_SECONDS, self._give_up)
        self._watchdog.daemon = True
        self._watchdog.start()

    def _give_up(self) -> None:
        faulthandler.dump_traceback(file=STDERR, all_threads=True)
        print(f"qtrl: not stopped after {GRACE_SECONDS:g} s; the last checkpoint is kept", file=sys.__stderr__)
        os._exit(128 + self._number)
