"""One training of a search in a process of its own, to which the search passes on its signals."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from qtrl.errors import RunFolderError
from qtrl.process.stopping import SHUTDOWN_SIGNALS, Interruption

STOPPED = {128 + number: number for number in SHUTDOWN_SIGNALS} | {-number: number for number in SHUTDOWN_SIGNALS}
"""Signal by exit status of a training that it ended: by the training's own shutdown, or while it started."""


class Training:
    """A training with the arguments `overrides`, to be run to its end; what it prints is appended to `log`.

    `stop` passes a signal on to it: it has a session of its own, where Ctrl-C at a terminal does not reach it, since a
    second signal ends a training before it has saved.
    """

    def __init__(self, overrides: Sequence[str], log: Path) -> None:
        safe_path = [] if str(Path.cwd()) in sys.path else ["-P"]  # no modules of the current folder
        self._command = [sys.executable, *safe_path, "-m", "qtrl.train", *overrides]
        self._log = log
        self._process: subprocess.Popen | None = None
        self._received: list[int] = []

    def __call__(self) -> str | None:
        """Run it; return None where it came to its end, or the reason why it did not.

        Raises:
            Interruption: It was asked to end, by `stop` or by somebody else.
            RunFolderError: The log cannot be written.
        """
        status, printed = self._run()
        if self._received or status in STOPPED:
            raise Interruption(self._received[0] if self._received else STOPPED[status])
        return None if status == 0 else _reason(status, printed)

    def _run(self) -> tuple[int, str]:
        try:
            descriptor = os.open(self._log, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            raise RunFolderError(f"{self._log} cannot be written: {error.strerror}") from error
        with os.fdopen(descriptor, "rb+") as log:
            start = log.seek(0, os.SEEK_END)
            self._process = process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
            for number in list(self._received):  # before there was a process
                process.send_signal(number)
            status = process.wait()
            log.seek(start)
            return status, log.read().decode(errors="replace")

    def stop(self, number: int) -> None:
        """Pass a signal on to the training, or to the one that is about to start."""
        self._received.append(number)
        if self._process is not None:
            self._process.send_signal(number)


def _reason(status: int, printed: str) -> str:
    """Return the line that says why a training failed: qtrl's last, or else the last, which ends a traceback."""
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    lines = [line.strip() for line in printed.splitlines() if line.strip()] or [f"status {status}"]
    own = [line.removeprefix("qtrl: ") for line in lines if line.startswith("qtrl: ")]
    last = own[-1] if status == 2 and own else lines[-1]
    return "".join(c for c in last if c.isprintable())
