"""How many threads torch computes with."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def set_threads(count: int | None, world_size: int) -> int:
    """Set torch's threads for this process and return their number.

    Args:
        count: The number; None takes `OMP_NUM_THREADS`, or else shares the machine's cores among the ranks.
        world_size: Ranks on this machine.
    """
    cores = len(os.sched_getaffinity(0))
    count = count or int(os.environ.get("OMP_NUM_THREADS") or 0) or max(1, cores // world_size)
    torch.set_num_threads(count)
    return count


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in this thread alone: for few rows waiting for other threads costs more than they bring."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
