"""How long a thread of OpenMP spins while it waits for the others, before it lets other programs have the core.

torch computes with GNU's OpenMP, which reads `GOMP_SPINCOUNT` once, when torch is imported.
"""

import os
import time
from pathlib import Path

LONG, SHORT = "30000", "1000"
"""Turns of the loop. On free cores a short spin makes updates slower, since threads go to sleep between operations; on
busy ones a long spin makes them many times as slow, since the thread that is waited for cannot run."""
SAMPLES, PAUSE = 20, 2e-3
"""Looks at the machine, and seconds from one to the next."""
LOADAVG = Path("/proc/loadavg")


def spin_count() -> str:
    """Return `LONG` if no other program wants the cores that this process may use, `SHORT` if one does.

    It takes 40 ms, and is `SHORT` where Linux does not tell how many threads are running.
    """
    try:
        running = [_running() for _ in range(SAMPLES)]
    except (OSError, ValueError, IndexError):
        return SHORT
    others = sum(running) / SAMPLES - 1  # all but the thread that looks
    free = (os.cpu_count() or 1) - others
    return LONG if free > len(os.sched_getaffinity(0)) - 0.5 else SHORT


def _running() -> int:
    """Return how many threads of the machine run or could run now."""
    time.sleep(PAUSE)
    return int(LOADAVG.read_text().split()[3].split("/")[0])
