"""Tables of a report as text: CSV, Markdown, and what the cells of the page's tables hold."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qtrl.analysis.runs.measure import RETURN, Measure
from qtrl.analysis.statistics.levels import UNITS, LevelRow
from qtrl.analysis.statistics.table import Row
from qtrl.files.atomic import write_csv
from qtrl.keys import ENV_STEPS

NONE = "\N{EN DASH}"


def number(value: float, digits: int = 1) -> str:
    """Format a number with so many decimals; NaN as a dash."""
    return f"{value:,.{digits}f}".replace("-", "\N{MINUS SIGN}") if math.isfinite(value) else NONE


def interval(low: float, high: float, digits: int = 1) -> str:
    """Format an interval; NaN as a dash."""
    known = math.isfinite(low) and math.isfinite(high)
    return f"{number(low, digits)} to {number(high, digits)}" if known else NONE


def shown_path(path: Path) -> str:
    """Return a path relative to the working folder, if it lies below it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def write_table(rows: Sequence[Row] | Sequence[LevelRow], path: Path, kind: type[Row] | type[LevelRow] = Row) -> None:
    """Write a table, whose rows are of one kind, as CSV with one line for each row; NaN as an empty cell.

    Raises:
        RunFolderError: It cannot be written.
    """
    names = [field.name for field in dataclasses.fields(kind)]
    write_csv(path, [names, *(map(_csv_cell, dataclasses.astuple(row)) for row in rows)])


def _csv_cell(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.12g}"
    return value


def format_table(rows: Sequence[Row], *, reference: str, measure: Measure = RETURN) -> str:
    """Return the main columns as a Markdown table; the others were compared with the label `reference`."""
    digits = measure.digits

    def iqm(row: Row) -> str:
        known = not math.isnan(row.iqm_low)
        interval = f" [{row.iqm_low:.{digits}f}, {row.iqm_high:.{digits}f}]" if known else ""
        return f"{row.iqm:.{digits}f}{interval}"

    columns: dict[str, Callable[[Row], str]] = {
        "block": lambda row: row.block,
        "n": _plain("n", 0),
        "IQM [95 %]": iqm,
        "mean": _plain("mean", digits),
        "best": _plain("best_mean", digits),
        "last ten": _plain("last_ten_mean", digits),
        **({} if measure.starts is None else {"final, same starts": _plain("final_first_mean", digits)}),
        f"better than {reference}": _plain("probability_of_improvement", 2),
        "p (Holm)": _plain("p_holm", 3),
        "smallest difference": _plain("smallest_difference", digits),
        "verdict": lambda row: row.verdict,
        "circuits": _plain("circuits", 0),
        "seconds": _plain("seconds", 0),
    }
    return _markdown(rows, columns)


def format_levels(rows: Sequence[LevelRow], measure: Measure = RETURN) -> str:
    """Return the times to each level as a Markdown table; cells are empty where under half of the seeds got there."""
    columns: dict[str, Callable[[LevelRow], str]] = {
        "block": lambda row: row.block,
        "level": lambda row: f"{row.level:,g}",
        "reached": lambda row: f"{row.reached} of {row.n}",
        **{measure.counts.replace(" ", "_") if unit == ENV_STEPS else unit: _plain(unit, 0) for unit in UNITS},
    }
    return _markdown(rows, columns)


def _plain(column: str, digits: int = 1) -> Callable[[Any], str]:
    return lambda row: number(getattr(row, column), digits).replace("\N{MINUS SIGN}", "-").replace(NONE, "")


def _markdown(rows: Sequence[Any], columns: Mapping[str, Callable[[Any], str]]) -> str:
    aligned = []
    for head, cell in columns.items():
        texts = [head, *map(cell, rows)]
        width, left = max(3, *map(len, texts)), head in ("block", "verdict")
        first, *others = [text.ljust(width) if left else text.rjust(width) for text in texts]
        aligned.append([first, "-" * width if left else "-" * (width - 1) + ":", *others])
    return "".join(f"| {' | '.join(line)} |\n" for line in zip(*aligned, strict=True))
