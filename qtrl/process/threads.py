"""Number of threads that torch computes with."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def set_threads(count: int | None, world_size: int) -> int:
    """Set torch's threads, by default `OMP_NUM_THREADS` or else the usable cores per rank; return their number.

    The variable may be a list, whose first number counts; one that says no number is left alone, as OpenMP does.
    """
    cores = len(os.sched_getaffinity(0))
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    count = count or (int(asked) if asked.isdecimal() else 0) or max(1, cores // world_size)
    torch.set_num_threads(count)
    return count


@contextmanager
def one_thread() -> Iterator[None]:
    """Restrict torch to one thread: for few rows, synchronizing threads costs more than they save."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
