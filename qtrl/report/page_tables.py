"""The tables of the page, as texts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qtrl.report.runs import Study
from qtrl.report.table import Row

NONE = "\N{EN DASH}"


@dataclass(frozen=True)
class PageTable:
    """A table with a block in each line.

    Attributes:
        caption: What it is.
        head: Names of the columns after the block's.
        lines: Label and cells of each line.
    """

    caption: str
    head: tuple[str, ...]
    lines: Sequence[tuple[str, tuple[str, ...]]]


def returns(rows: Sequence[Row], facts: Mapping[str, str]) -> PageTable:
    """Tell what each block came to, in the final test and in those before it, which have fewer start seeds.

    Args:
        rows: The table of the study.
        facts: Those of the study: how many starts the tests have.
    """
    few, all_ = (f"{facts.get(key, 'unknown')} starts" for key in ("test_episodes", "final_test_episodes"))
    final = ("seeds", "IQM", "95 % interval", "mean", "median", "std over seeds")
    others = (f"best test ({few})", f"last ten tests ({few})", f"final test on these {few}", f"gap ({few})")
    lines = [
        (
            row.block,
            (
                str(row.n),
                number(row.iqm),
                interval(row.iqm_low, row.iqm_high),
                *map(number, (row.mean, row.median, row.std)),
                *map(number, (row.best_mean, row.last_ten_mean, row.final_first_mean, row.gap_mean)),
            ),
        )
        for row in rows
    ]
    caption = f"Return, one value for each seed: of the final test ({all_}), then as the columns say"
    return PageTable(caption, (*final, *others), lines)


def comparisons(rows: Sequence[Row], *, reference: str) -> PageTable:
    """Tell how each block compares with the reference, whose label is shown as `reference`."""
    head = ("seeds", "difference", "smallest it could see", "probability of improvement", "95 % interval", "p")
    lines = [
        (
            row.block,
            (
                str(row.n),
                number(row.difference),
                number(row.smallest_difference),
                number(row.probability_of_improvement, 2),
                interval(row.improvement_low, row.improvement_high, 2),
                number(row.p, 3),
                number(row.p_holm, 3),
            ),
        )
        for row in rows
    ]
    return PageTable(f"Compared with {reference}", (*head, "p, corrected"), lines)


def costs(rows: Sequence[Row]) -> PageTable:
    """Tell what a run of each block took."""
    head = ("circuits run", "shots", "wall time, s", "circuits that parameter shift would run")
    lines = [
        (row.block, tuple(number(n, 0) for n in (row.circuits, row.shots, row.seconds, row.parameter_shift_circuits)))
        for row in rows
    ]
    return PageTable("Of one run, mean of its seeds", head, lines)


def every_run(study: Study) -> PageTable:
    """Tell what each run came to, and where it lies."""
    lines = [
        (label, (str(run.seed), number(value), shown_path(run.path)))
        for label, runs in study.runs.items()
        for run, value in zip(runs, study.values(label), strict=True)
    ]
    return PageTable("Return of the final test of every run", ("seed", "return", "folder"), lines)


def number(value: float, digits: int = 1) -> str:
    """Write a number with so many decimals, or a dash where there is none."""
    return f"{value:,.{digits}f}".replace("-", "\N{MINUS SIGN}") if math.isfinite(value) else NONE


def interval(low: float, high: float, digits: int = 1) -> str:
    """Write an interval, or a dash where there is none."""
    known = math.isfinite(low) and math.isfinite(high)
    return f"{number(low, digits)} to {number(high, digits)}" if known else NONE


def shown_path(path: Path) -> str:
    """Write a path as seen from the working folder, where it is below."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
