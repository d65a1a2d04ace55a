"""The jobs of a multirun, which may run in processes of their own."""

import ctypes
import json
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COMMAND = "QTRL_MULTIRUN"
"""By this variable jobs find the process that started them, and the file in which they tell why they failed."""
DEATH_SIGNAL_OF_PARENT = 1
"""PR_SET_PDEATHSIG of Linux's prctl."""


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
    """Let a job's process get SIGTERM when the command that started it ends, however it ends: it saves and stops."""
    pid = os.environ.get(COMMAND, "").partition(":")[0]
    if pid and int(pid) == os.getppid():
        ctypes.CDLL(None).prctl(DEATH_SIGNAL_OF_PARENT, signal.SIGTERM)


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
    return [(folder, reason) for folder, reason in map(json.loads, path.read_text(encoding="utf-8").splitlines())]
