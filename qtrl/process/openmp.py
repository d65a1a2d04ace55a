"""Choice of `GOMP_SPINCOUNT`: how long idle OpenMP threads busy-wait before they yield the core.

torch computes with GNU OpenMP, which reads the variable once, when torch is imported.
"""

import os
import time
from pathlib import Path

LONG, SHORT = "30000", "1000"
"""Iterations of the busy-wait. A short one makes updates slower on free cores, since threads sleep between operations;
a long one makes them many times slower on busy cores, since the thread that is waited for cannot run."""
SAMPLES, PAUSE_SECONDS = 20, 2e-3
LOADAVG = Path("/proc/loadavg")


def spin_count() -> str:
    """Return `LONG` if the cores that this process may use are otherwise idle, else `SHORT`.

    Sampling takes 40 ms; without a readable `/proc/loadavg` the answer is `SHORT`.
    """
    try:
        running = [_running() for _ in range(SAMPLES)]
    except (OSError, ValueError, IndexError):
        return SHORT
    others = sum(running) / SAMPLES - 1  # without this thread
    free = (os.cpu_count() or 1) - others
    return LONG if free > len(os.sched_getaffinity(0)) - 0.5 else SHORT


def _running() -> int:
    """Return the number of runnable threads on the machine now."""
    time.sleep(PAUSE_SECONDS)
    return int(LOADAVG.read_text().split()[3].split("/")[0])
