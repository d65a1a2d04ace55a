"""The table of a study: one row for each block, seeds as the unit."""

import csv
import dataclasses
import io
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qtrl.errors import ConfigError
from qtrl.files.atomic import write_text
from qtrl.report import statistics
from qtrl.report.comparison import Comparison, compare_family
from qtrl.report.run_files import RunResult, is_finite
from qtrl.report.runs import Study

RECENT = 10
"""Tests whose gap is averaged, as many as of the returns."""


@dataclass(frozen=True)
class Row:
    """One block; NaN stands where there is nothing to tell. What each number is: docs/statistics.md."""

    block: str
    n: int
    iqm: float
    iqm_low: float
    iqm_high: float
    mean: float
    median: float
    std: float
    best_mean: float
    last_ten_mean: float
    final_first_mean: float
    gap_mean: float
    difference: float
    p: float
    p_holm: float
    probability_of_improvement: float
    improvement_low: float
    improvement_high: float
    smallest_difference: float
    verdict: str
    circuits: float
    shots: float
    seconds: float
    parameter_shift_circuits: float


def table(
    study: Study, *, reference: str, value: str = "return_mean", primary: Collection[str] | None = None
) -> list[Row]:
    """Compare every block with one of them.

    Args:
        study: The runs.
        reference: The label that the others are compared with.
        value: The number of `summary.json` that is compared.
        primary: Labels whose comparisons are one family of Holm's correction, those of the others being another; None
            for one family of all.

    Raises:
        ConfigError: No run of the reference can be used, or a summary has no such number.
    """
    if reference not in study.runs:
        known = ", ".join(study.runs) or "none"
        raise ConfigError(f"no run of reference={reference} can be used; labels of those that can: {known}")
    values = {label: study.values(label, value) for label in study.runs}
    others = [label for label in study.runs if label != reference]
    first = set(others if primary is None else primary)
    families = [[label for label in others if (label in first) is inside] for inside in (True, False)]
    compared = {reference: Comparison("the others are compared with it")}
    for family in families:
        compared |= compare_family(family, values, reference)
    return [
        Row(block=label, **_describe(values[label]), **_of_runs(runs), **vars(compared[label]))
        for label, runs in study.runs.items()
    ]


def _describe(values: np.ndarray) -> dict[str, Any]:
    interval = statistics.iqm_interval(values)
    return {
        "n": len(values),
        "iqm": statistics.iqm(values),
        "iqm_low": interval.low,
        "iqm_high": interval.high,
        "mean": float(np.mean(values)),
        "median": float(np.median(values)),
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else math.nan,
    }


def _of_runs(runs: Sequence[RunResult]) -> dict[str, Any]:
    """Return means over runs; NaN where a run of an earlier version lacks the number."""

    def mean(key: str) -> float:
        found = [run.summary.get(key) for run in runs]
        return float(np.mean([value if is_finite(value) else math.nan for value in found]))

    return {
        "best_mean": mean("best_return_mean"),
        "last_ten_mean": float(np.mean([_recent(run, "test/return_mean") for run in runs])),
        "final_first_mean": float(np.mean([_on_first_starts(run) for run in runs])),
        "gap_mean": float(np.mean([_recent(run, "test/gap") for run in runs])),
        "circuits": mean("circuits"),
        "shots": mean("shots"),
        "seconds": mean("wall_seconds"),
        "parameter_shift_circuits": mean("parameter_shift_circuits"),
    }


def _recent(run: RunResult, metric: str) -> float:
    """Return the mean over the last tests; NaN where a run of an earlier version lacks the metric."""
    _, values = run.columns.get(metric, ((), ()))
    return float(np.mean(values[-RECENT:])) if len(values) else math.nan


def _on_first_starts(run: RunResult) -> float:
    """Return the mean of the final test on the starts of the other tests; NaN where it cannot be known."""
    starts = run.config.get("callbacks", {}).get("test_episodes")
    returns = run.summary.get("return_per_episode", ())
    known = isinstance(starts, int) and 0 < starts <= len(returns)
    return float(np.mean(returns[:starts])) if known else math.nan


def write_table(rows: Sequence[Row], path: Path) -> None:
    """Write the table as CSV, one line for each row; cells with nothing to tell are empty.

    Args:
        rows: The table.
        path: The file, replaced where it is there.

    Raises:
        RunFolderError: It cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in dataclasses.fields(Row)])
    writer.writerows([_cell(value) for value in dataclasses.astuple(row)] for row in rows)
    write_text(path, text.getvalue())


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.12g}"
    return str(value)


def format_table(rows: Sequence[Row], *, reference: str) -> str:
    """Return the main columns as a Markdown table.

    Args:
        rows: The table.
        reference: The label that the others were compared with.
    """
    from rich.box import MARKDOWN
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    titles = {"block": "left", "n": "right", "IQM [95 %]": "right", "mean": "right", "best": "right"}
    titles |= {"last ten": "right", "final, same starts": "right"}
    titles |= {f"better than {reference}": "right", "p (Holm)": "right"}
    titles |= {"smallest difference": "right", "verdict": "left", "circuits": "right", "seconds": "right"}
    shown = Table(box=MARKDOWN)
    for title, justify in titles.items():
        shown.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for row in rows:
        shown.add_row(*(Text(cell) for cell in _main_columns(row)))
    text = io.StringIO()
    Console(file=text, width=1_000, color_system=None).print(shown)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines() if line.strip()) + "\n"


def _main_columns(row: Row) -> tuple[str, ...]:
    interval = "" if math.isnan(row.iqm_low) else f" [{row.iqm_low:.1f}, {row.iqm_high:.1f}]"
    return (
        *(row.block, str(row.n), f"{row.iqm:.1f}{interval}", _short(row.mean, 1), _short(row.best_mean, 1)),
        *(_short(row.last_ten_mean, 1), _short(row.final_first_mean, 1)),
        *(_short(row.probability_of_improvement, 2), _short(row.p_holm, 3), _short(row.smallest_difference, 1)),
        *(row.verdict, _short(row.circuits, 0), _short(row.seconds, 0)),
    )


def _short(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:,.{digits}f}"
