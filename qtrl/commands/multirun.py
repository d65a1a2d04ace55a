"""The jobs of a multirun, which may run in other processes than the command that started them."""

import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from qtrl.process.identity import ProcessIdentity

COMMAND = "QTRL_MULTIRUN"
"""Environment variable, as JSON: the command's process, and the file to which jobs append their failures."""
WATCHDOG = "qtrl-watch-command"
"""Name of the thread that polls whether the command still runs."""
POLL_SECONDS = 0.5
SHUTDOWN_SECONDS = 12.0
"""More than the graceful shutdown of a run may take."""


@contextmanager
def failures_of_jobs() -> Iterator[Path]:
    """Give a file for the failures of jobs that are started in the body, in this process or in others."""
    before = os.environ.get(COMMAND)
    with tempfile.TemporaryDirectory(prefix="qtrl-") as folder:
        path = Path(folder, "failures.jsonl")
        os.environ[COMMAND] = json.dumps(asdict(ProcessIdentity.own()) | {"failures": str(path)})
        try:
            yield path
        finally:
            os.environ.pop(COMMAND)
            if before is not None:
                os.environ[COMMAND] = before


def end_with_command() -> None:
    """In a job's own process below the command: start a watchdog that sends SIGTERM once the command has ended.

    A process that was started by something else, such as a worker of submitit or Ray, may have inherited the variable;
    what started it decides when it ends. The kernel's parent-death signal is not used: it comes once for each thread of
    the command, and a second SIGTERM ends a run without saving.

    Raises:
        SystemExit: The command has ended already.
    """
    command, _ = _command()
    watched = any(thread.name == WATCHDOG for thread in threading.enumerate())
    if watched or command == ProcessIdentity.own() or not command.is_ancestor():
        return
    if not command.is_running():
        raise SystemExit(128 + signal.SIGTERM)
    threading.Thread(target=_watch, args=(command,), name=WATCHDOG, daemon=True).start()


def _watch(command: ProcessIdentity) -> None:
    while command.is_running():
        time.sleep(POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SHUTDOWN_SECONDS)
    os._exit(128 + signal.SIGTERM)  # else the process would wait for another job


def _command() -> tuple[ProcessIdentity, str]:
    """Return the command's process and its file for failures, both empty without a command."""
    values = json.loads(os.environ.get(COMMAND, "null")) or {"machine": "", "pid": 0, "started": "", "failures": ""}
    path = values.pop("failures")
    return ProcessIdentity(**values), path


def tell_failure(folder: str, reason: str) -> None:
    """Tell the command that the job of this folder failed, if it still runs and shares its file system."""
    _, path = _command()
    with suppress(OSError):
        if path:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(json.dumps([folder, reason]) + "\n")


def told_failures(path: Path) -> list[tuple[str, str]]:
    """Return folder and reason of each job that failed."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(folder, reason) for folder, reason in (json.loads(line) for line in lines)]
