"""How often intervals for few seeds cover what they are for: `python tests/benchmarks/interval_coverage.py`.

Seeds are drawn from known distributions, many times over; the share of intervals that hold the true value should be
0.95. Prints the tables of docs/statistics.md.
"""

import itertools
from collections.abc import Callable

import numpy as np
from scipy import stats

from qtrl.analysis.statistics.bands import band
from qtrl.analysis.statistics.estimates import ALPHA, CONFIDENCE, probability_of_improvement_interval
from qtrl.analysis.statistics.significance import permutation_p_value

STUDIES, STUDIES_OF_PAIRS, RESAMPLES = 4_000, 1_000, 2_000
Draw = Callable[[np.random.Generator, int], np.ndarray]


def one_in_ten_fails(generator: np.random.Generator, size: int) -> np.ndarray:
    """Return normal values, of which a tenth lies ten deviations lower."""
    return generator.normal(size=size) - 10 * (generator.random(size) < 0.1)


SEEDS: dict[str, Draw] = {
    "normal": lambda generator, size: generator.normal(size=size),
    "Student's t, 3 degrees": lambda generator, size: generator.standard_t(3, size=size),
    "exponential": lambda generator, size: -generator.exponential(size=size),
    "log-normal": lambda generator, size: -generator.lognormal(size=size),
    "one in ten fails": one_in_ten_fails,
}


def iqm(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return the interquartile mean along an axis."""
    return stats.trim_mean(values, 0.25, axis=axis)


def bootstrap(values: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Return SciPy's bootstrap intervals of the IQM of columns."""
    found = stats.bootstrap(
        *((values,), iqm),
        n_resamples=RESAMPLES,
        batch=100,
        method=method,
        vectorized=True,
        confidence_level=CONFIDENCE,
        rng=np.random.default_rng(0),
    )
    return found.confidence_interval.low, found.confidence_interval.high


def student(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return t intervals of the mean of columns."""
    half = stats.t.isf(ALPHA / 2, len(values) - 1) * stats.sem(values)
    return values.mean(axis=0) - half, values.mean(axis=0) + half


def cover_iqm(generator: np.random.Generator, draw: Draw, n: int) -> list[float]:
    """Return the share of intervals of each kind that hold the IQM of all seeds there could be."""
    truth = float(iqm(draw(generator, 1_000_000)))
    values, studies = draw(generator, n * STUDIES).reshape(n, STUDIES), np.arange(STUDIES)
    ours = band([(studies, seed) for seed in values])
    intervals = [bootstrap(values, "percentile"), bootstrap(values, "BCa"), student(values), (ours.low, ours.high)]
    return [float(np.mean((low <= truth) & (truth <= high))) for low, high in intervals]


def pairs(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return probabilities of improvement of resamples, (..., n) and (..., m)."""
    return (np.sign(values[..., :, None] - reference[..., None, :]).mean(axis=(-1, -2)) + 1) / 2


def cover_improvement(generator: np.random.Generator, shift: float, n: int, m: int) -> list[float]:
    """Return the same for the probability of improvement, of normal seeds that lie `shift` deviations higher."""
    truth, hits = stats.norm.cdf(shift / np.sqrt(2)), np.zeros(2)
    for _ in range(STUDIES_OF_PAIRS):
        values, reference = generator.normal(shift, size=n), generator.normal(size=m)
        resampled = pairs(
            values[generator.integers(n, size=(RESAMPLES, n))], reference[generator.integers(m, size=(RESAMPLES, m))]
        )
        low, high = np.quantile(resampled, [ALPHA / 2, 1 - ALPHA / 2])
        ours = probability_of_improvement_interval(values, reference)
        hits += [low <= truth <= high, ours.low <= truth <= ours.high]
    return list(hits / STUDIES_OF_PAIRS)


def seen(generator: np.random.Generator, shift: float, n: int, m: int) -> list[float]:
    """Return how often the permutation test, and the t test, find a shift of normal seeds."""
    hits = np.zeros(2)
    for _ in range(STUDIES_OF_PAIRS):
        values, reference = generator.normal(shift, size=n), generator.normal(size=m)
        p_values = permutation_p_value(values, reference), stats.ttest_ind(values, reference).pvalue
        hits += [p <= ALPHA for p in p_values]
    return list(hits / STUDIES_OF_PAIRS)


def row(*cells: object) -> None:
    """Print one line of a Markdown table."""
    print("|", " | ".join(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells), "|", flush=True)


def main() -> None:
    """Print all three tables, each from a generator of its own."""
    generator = np.random.default_rng(0)
    row("seeds", "n", "percentile", "BCa", "t, of the mean", "t, bootstrap error")
    for n in (3, 5, 10):
        for name, draw in SEEDS.items():
            row(name, n, *cover_iqm(generator, draw, n))
    generator = np.random.default_rng(1)
    row("n and m", "shift", "percentile", "Newcombe")
    for (n, m), shift in itertools.product(((3, 5), (5, 5), (10, 10)), (0.0, 1.0, 2.0, 3.0)):
        row(f"{n} and {m}", shift, *cover_improvement(generator, shift, n, m))
    generator = np.random.default_rng(2)
    row("n and m", "shift", "permutation test", "t test")
    for (n, m), effect in {(3, 5): 2.459, (5, 5): 2.024}.items():
        for shift in (0.0, effect):
            row(f"{n} and {m}", shift, *seen(generator, shift, n, m))


if __name__ == "__main__":
    main()
