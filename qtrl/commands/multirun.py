"""The jobs of a multirun, which may run in processes of their own."""

import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COMMAND = "QTRL_MULTIRUN"
"""By this variable jobs find the process that started them, and the file in which they tell why they failed."""
WATCH = "qtrl-watch-command"
"""Name of the thread that sees whether the command is still there."""
LOOK_SECONDS = 0.5
SECONDS_TO_SAVE = 12.0
"""More than a run that was asked to stop takes at most."""


@contextmanager
def failures_of_jobs() -> Iterator[Path]:
    """Give a file for the failures of jobs that are started in the body, in this process or in others."""
    before = os.environ.get(COMMAND)
    with tempfile.TemporaryDirectory(prefix="qtrl-") as folder:
        path = Path(folder, "failures.jsonl")
        os.environ[COMMAND] = f"{os.getpid()}:{path}"
        try:
            yield path
        finally:
            os.environ.pop(COMMAND)
            if before is not None:
                os.environ[COMMAND] = before


def end_with_command() -> None:
    """In a job's own process: see to it that SIGTERM comes when the command ends, however it ends; a run then saves.

    The kernel's own signal for this comes once for each thread of the command, and a second one ends a run at once.

    Raises:
        SystemExit: The command has ended already.
    """
    pid = int(os.environ.get(COMMAND, "0").partition(":")[0])
    if pid in (0, os.getpid()) or any(thread.name == WATCH for thread in threading.enumerate()):
        return
    if os.getppid() != pid:
        raise SystemExit(128 + signal.SIGTERM)
    threading.Thread(target=_watch, args=(pid,), name=WATCH, daemon=True).start()


def _watch(pid: int) -> None:
    while os.getppid() == pid:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS_TO_SAVE)
    os._exit(128 + signal.SIGTERM)  # else the process would wait for another job


def tell_failure(folder: str, reason: str) -> None:
    """Tell the command that the job of this folder failed."""
    path = os.environ.get(COMMAND, "").partition(":")[2]
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps([folder, reason]) + "\n")


def told_failures(path: Path) -> list[tuple[str, str]]:
    """Return folder and reason of each job that failed."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(folder, reason) for folder, reason in (json.loads(line) for line in lines)]
