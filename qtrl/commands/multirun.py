"""The jobs of a multirun, which may run in other processes than the command."""

import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import parent_process
from pathlib import Path

import psutil

COMMAND = "QTRL_MULTIRUN"
"""Environment variable, as JSON: pid and start of the command's process, and the file for failures of its jobs."""
WATCHDOG = "qtrl-watch-command"
"""Name of the thread that polls whether the command still runs."""


@contextmanager
def failures_of_jobs() -> Iterator[Path]:
    """Give a file for the failures of jobs that are started in the body, in this process or in others."""
    own = psutil.Process()
    with tempfile.TemporaryDirectory(prefix="qtrl-") as folder:
        path = Path(folder, "failures.jsonl")
        os.environ[COMMAND] = json.dumps({"pid": own.pid, "started": own.create_time(), "failures": str(path)})
        try:
            yield path
        finally:
            os.environ.pop(COMMAND)


def end_with_command() -> None:
    """In a job's own process below the command: start a watchdog that sends SIGTERM once the command has ended.

    A process that was started by something else, such as a worker of submitit or Ray, may have inherited the variable;
    what started it decides when it ends. The kernel's parent-death signal is not used: it comes once for each thread of
    the command, and a second SIGTERM ends a run without saving. If the command has ended already, so does the job.
    """
    command = json.loads(os.environ.get(COMMAND, "null"))
    if command is None or command["pid"] == os.getpid() or any(t.name == WATCHDOG for t in threading.enumerate()):
        return
    pid, started = command["pid"], command["started"]
    creator = parent_process()  # known even after it has ended
    below = _is_running(pid, started) and pid in [process.pid for process in psutil.Process().parents()]
    if not below and (creator is None or creator.pid != pid):
        return
    if not below:
        raise SystemExit(128 + signal.SIGTERM)
    threading.Thread(target=_watch, args=(pid, started), name=WATCHDOG, daemon=True).start()


def _watch(pid: int, started: float) -> None:
    while _is_running(pid, started):
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(12.0)  # longer than `qtrl.process.stopping.GRACE_SECONDS`
    os._exit(128 + signal.SIGTERM)  # else the process would wait for another job


def _is_running(pid: int, started: float) -> bool:
    """Tell whether the process of this pid is the one that was started then, and has not ended."""
    try:
        process = psutil.Process(pid)
        return process.create_time() == started and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def tell_failure(folder: str, reason: str) -> None:
    """Tell the command that the job of this folder failed, if the command still runs and shares its file system."""
    command = json.loads(os.environ.get(COMMAND, "null"))
    if command is not None:
        with suppress(OSError), Path(command["failures"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps([folder, reason]) + "\n")


def told_failures(path: Path) -> list[tuple[str, str]]:
    """Return folder and reason of each job that failed."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [tuple(json.loads(line)) for line in lines]
