"""Runs of the real command, forked from a process that has imported everything: each begins in tenths of a second.

As a script it reads one JSON line for each run and answers with one.
"""

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

from faults import Faults, injected

TESTS = Path(__file__).resolve().parents[1]
SHORTEST = (
    "debug=smoke",
    "logger=csv",
    "total_env_steps=12",
    "warmup_env_steps=8",
    "callbacks.test_max_episode_steps=3",
)


class ForkedRuns:
    """A process that forks runs, used as a context manager.

    Args:
        folder: The runs' current folder; what they print goes into `output.txt` there.
        environment: Variables added to this process's own.
        path: A folder in which commands are looked for first.
    """

    def __init__(self, folder: Path, environment: dict[str, str] | None = None, path: Path | None = None) -> None:
        self.output = folder / "output.txt"
        variables = {"PYTHONPATH": f"{TESTS.parent}:{TESTS / 'envs'}", "OMP_NUM_THREADS": "1"}
        variables |= {"PATH": f"{path}:{os.environ['PATH']}"} if path else {}
        variables |= environment or {}
        self._errors = (folder / "server.txt").open("w")
        self._server = subprocess.Popen(
            [sys.executable, __file__, str(self.output)],
            cwd=folder,
            env=os.environ | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def __enter__(self) -> "ForkedRuns":
        return self

    def __exit__(self, *error: Any) -> None:
        with self._server:  # closes its pipes and waits
            self._errors.close()

    def __call__(self, *arguments: str, **how: Any) -> int:
        """Run the command; return its status, or minus the signal that ended it.

        Args:
            arguments: Those of the command line.
            how: `signals`, a list of (lines of metrics.csv, seconds after that, number, to the whole group), where
                0 lines are there at once, and -1 as soon as the run has its folder;
                `fault`, the number of the call to the disk at which the process ends by itself.
        """
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.write(json.dumps({"arguments": arguments, **how}) + "\n")
        self._server.stdin.flush()
        answer = json.loads(self._server.stdout.readline())
        self.seconds_after_signal, self.left_behind = answer["seconds_after_signal"], answer["left_behind"]
        return answer["status"]

    def said(self) -> str:
        """Return what the last run printed."""
        return self.output.read_text()


def serve(output: str) -> None:
    """Fork a run for each line that comes, after a small one here that imports and compiles what all of them need."""
    with tempfile.TemporaryDirectory() as folder, suppress(SystemExit), redirect_stdout(io.StringIO()):
        _command(("experiment=pendulum_pqc", *SHORTEST, f"run_dir={folder}/run"))
    for line in sys.stdin:
        order = json.loads(line)
        arguments = order["arguments"]
        folder = Path(next(item.partition("=")[2] for item in arguments if item.startswith("run_dir=")))
        pid = os.fork()
        if pid == 0:
            _run(output, arguments, Faults(folder, order.get("fault", 0), ends=True))
        status, seconds = _watch(pid, folder / "metrics.csv", order.get("signals", ()))
        answer = {"status": status, "seconds_after_signal": seconds, "left_behind": _left_behind(pid)}
        print(json.dumps(answer), flush=True)


def _run(output: str, arguments: Sequence[str], faults: Faults) -> None:
    """Become the command, in a process group of its own."""
    os.setsid()
    printed = os.open(output, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    for number, descriptor in ((0, os.open(os.devnull, os.O_RDONLY)), (1, printed), (2, printed)):
        os.dup2(descriptor, number)
    with injected(faults):
        _command(arguments)
    sys.exit(0)


def _command(arguments: Sequence[str]) -> None:
    from hydra.core.global_hydra import GlobalHydra

    from qtrl.train import main

    sys.argv = ["qtrl", *arguments]
    try:
        main()
    finally:
        GlobalHydra.instance().clear()


def _watch(pid: int, rows: Path, signals: Sequence[tuple[int, float, int, bool]]) -> tuple[int, float]:
    """Send each signal when its time has come; return the status, and the seconds from the last one to the end."""
    sent = time.monotonic()
    for lines, seconds, number, group in signals:
        end = None
        while end is None or time.monotonic() < end:
            if (status := _ended(pid)) is not None:
                return status, time.monotonic() - sent
            if end is None and _has(rows, lines):
                end = time.monotonic() + seconds
            time.sleep(0.001)
        (os.killpg if group else os.kill)(pid, number)
        sent = time.monotonic()
    end = time.monotonic() + 120
    while (status := _ended(pid)) is None:
        time.sleep(0.002)
        if time.monotonic() > end:
            os.killpg(pid, signal.SIGKILL)
    return status, time.monotonic() - sent


def _has(rows: Path, lines: int) -> bool:
    if lines <= 0:
        return lines == 0 or rows.with_name("config.yaml").exists()
    return rows.exists() and rows.read_bytes().count(b"\n") >= lines


def _ended(pid: int) -> int | None:
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def _left_behind(group: int, seconds: float = 3.0) -> int:
    """Count the processes of a group that are still there after some time; end them."""
    end = time.monotonic() + seconds
    while (members := _members(group)) and time.monotonic() < end:
        time.sleep(0.01)
    for pid in members:
        os.kill(pid, signal.SIGKILL)
    return len(members)


def _members(group: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of_group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(of_group) == group and state not in "ZX":
            found.append(int(path.parent.name))
    return found


if __name__ == "__main__":
    serve(sys.argv[1])
