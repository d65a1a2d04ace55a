"""Which of torch's paths multiplies float32 matrices."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

PRECISIONS = ("highest", "high", "medium")
"""What `torch.set_float32_matmul_precision` takes. What the lower two mean depends on the processor: the same sums by
another library on some, factors rounded to ten or seven bits on others. So they are measured and not trusted."""
SHAPE = (256, 220, 2048)
"""The largest product of an update with the paper's sizes: rows, inputs and hidden units of the qtDNN."""
ROUNDS = 9
LARGER_ERROR, FASTER = 2.0, 1.15
"""A path is taken if its error is at most so many times that of `highest`, and it is so many times as fast."""


@dataclass(frozen=True)
class MatmulPath:
    """One path, measured.

    Attributes:
        precision: One of `PRECISIONS`.
        gflops: Billions of additions and multiplications per second, by the median time of a product.
        error: Largest error of an entry against float64, in units of the root mean square of all entries.
    """

    precision: str
    gflops: float
    error: float


@contextmanager
def matmul_precision(precision: str) -> Iterator[None]:
    """Multiply float32 matrices by one path, and by the earlier one afterwards."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def measure_paths(device: torch.device | str = "cpu") -> list[MatmulPath]:
    """Measure speed and error of every path on this machine, in turns; takes about a tenth of a second on a CPU."""
    rows, inputs, outputs = SHAPE
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(rows, inputs, generator=generator).to(device)
    right = torch.randn(inputs, outputs, generator=generator).to(device)
    exact = left.double() @ right.double()
    seconds: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    errors = {}
    for _ in range(ROUNDS):
        for precision in PRECISIONS:
            with matmul_precision(precision):
                start = time.perf_counter()
                product = left @ right
                product[0, 0].item()  # waits for the device
                seconds[precision].append(time.perf_counter() - start)
            errors[precision] = _error(product, exact)
    operations = 2e-9 * rows * inputs * outputs
    return [MatmulPath(name, operations / statistics.median(seconds[name]), errors[name]) for name in PRECISIONS]


def fastest_accurate(paths: list[MatmulPath]) -> MatmulPath:
    """Return the first of the paths about as accurate as `highest` than which none of them is clearly faster.

    Args:
        paths: In the order of `PRECISIONS`, so that noise does not choose between paths that are the same.
    """
    highest = next(path for path in paths if path.precision == "highest")
    accurate = [path for path in paths if path.error <= LARGER_ERROR * highest.error]
    fastest = max(path.gflops for path in accurate)
    return next(path for path in accurate if FASTER * path.gflops > fastest)


def _error(product: Tensor, exact: Tensor) -> float:
    return ((product.double() - exact).abs().max() / exact.square().mean().sqrt()).item()
