"""Which process is meant, told apart from others with the same pid: of another machine, or started later."""

import os
import platform
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path

PROC = Path("/proc")
STATE, PARENT, STARTED = 0, 1, 19
"""Fields of `/proc/PID/stat` behind the command's name."""


@dataclass(frozen=True)
class ProcessIdentity:
    """A process, unique over machines, reboots and reused pids.

    Attributes:
        machine: Boot id of its kernel, or the host name where the system has none.
        pid: Its pid.
        started: Clock ticks from the boot to its start; empty where the system does not tell (only Linux does).
    """

    machine: str
    pid: int
    started: str

    @classmethod
    def own(cls) -> "ProcessIdentity":
        """Return the identity of this process."""
        return cls(_machine(), os.getpid(), _started(os.getpid()))

    def is_running(self) -> bool:
        """Tell whether the process, one of this machine, has not ended yet."""
        if self.started:
            return _started(self.pid) == self.started
        return os.getppid() == self.pid

    def is_ancestor(self) -> bool:
        """Tell whether this process descends from it; also after it ended, if it was the `multiprocessing` parent."""
        if self.machine != _machine():
            return False
        creator = parent_process()
        if creator is not None and creator.pid == self.pid:
            return True
        return self.pid in _ancestors() and _started(self.pid) == self.started


def _machine() -> str:
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return platform.node()


def _stat(pid: int) -> list[str]:
    """Return the fields of `/proc/PID/stat` behind the command's name; none for a process that has ended."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return [] if fields[STATE] in "ZX" else fields


def _started(pid: int) -> str:
    return (_stat(pid) or [""] * (STARTED + 1))[STARTED]


def _ancestors() -> list[int]:
    """Return the pids of the parent, its parent and so on, as far as the system tells."""
    pids = [os.getppid()]
    while fields := _stat(pids[-1]):
        pids.append(int(fields[PARENT]))
    return pids
