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
    """Return `LONG` if the cores that this process may use are otherwise idle, else or if that is unknown `SHORT`."""
    free = (os.cpu_count() or 1) + 1.0  # this thread is among the runnable ones
    try:
        for _ in range(SAMPLES):
            time.sleep(PAUSE_SECONDS)
            free -= int(LOADAVG.read_text().split()[3].split("/")[0]) / SAMPLES
    except (OSError, ValueError, IndexError):
        return SHORT
    return LONG if free > len(os.sched_getaffinity(0)) - 0.5 else SHORT
