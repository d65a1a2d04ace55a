"""Shares the rows of a call among threads, never more of them than torch uses itself.

Threads of Python serve well, since the kernel holds no lock. They take small parts from a common counter, so one whose
core is busy with something else delays the others by one part at most; numba's own parallel loops wait for it.
"""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch


def in_parts(work: Callable[[slice], None], rows: int, rows_per_part: int) -> None:
    """Call `work` for all parts of `rows` rows, in this thread and in as many others as torch may use."""
    threads = torch.get_num_threads()
    rounds = -(-rows // (rows_per_part * threads))
    rows_per_part = min(rows_per_part, -(-rows // (rounds * threads)))  # so that all threads end together
    n_parts = -(-rows // rows_per_part)
    numbers = itertools.count()  # `next` on it is atomic

    def take() -> None:
        while (number := next(numbers)) < n_parts:
            work(slice(number * rows_per_part, min(rows, (number + 1) * rows_per_part)))

    helpers = min(threads, n_parts) - 1
    if helpers <= 0:
        take()
        return
    started = [_pool(os.getpid()).submit(take) for _ in range(helpers)]
    take()
    for future in started:
        if not future.cancel():  # else it had not begun, and nothing is left to do
            future.result()


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Return the pool of a process; one that was forked has none of its parent's threads."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="qtrl-circuits")
