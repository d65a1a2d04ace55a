"""Tables of a report as text: CSV, Markdown, and the cells of the page's tables."""

import csv
import dataclasses
import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from qtrl.analysis.runs.study import Study
from qtrl.analysis.statistics.table import Row
from qtrl.files.atomic import write_text

NONE = "\N{EN DASH}"
Columns = Mapping[str, Callable[[Row], str]]
"""The text of a row's cell by the column's head."""


class PageTable(NamedTuple):
    """A table of the page: `head` has the names of the columns, `lines` the first cell and the others of each row."""

    caption: str
    head: Sequence[str]
    lines: Sequence[tuple[str, Sequence[str]]]


def page_tables(study: Study, rows: Sequence[Row], compared: Sequence[Row], *, reference: str) -> dict[str, PageTable]:
    """Return the tables of the page.

    Args:
        study: The runs.
        rows: The table of the study.
        compared: Its rows without that of the reference.
        reference: The reference's label as shown.
    """
    skipped = [(_shown_path(path), [reason]) for path, reason in study.skipped]
    facts = [(name.replace("_", " "), [value]) for name, value in study.facts.items()]
    return {
        "returns": _returns(rows, study.facts),
        "comparisons": _comparisons(compared, reference=reference),
        "runs": _every_run(study),
        "costs": _costs(rows),
        "skipped": PageTable("Run folders that were left out", ("folder", "why"), skipped),
        "facts": PageTable("The same in all runs, but for commits", (), facts),
    }


def _returns(rows: Sequence[Row], facts: Mapping[str, str]) -> PageTable:
    """Show the returns of each block, in the final test and in those before it, which have fewer start seeds."""
    few, all_ = (f"{facts.get(key, 'unknown')} starts" for key in ("test_episodes", "final_test_episodes"))
    caption = f"Return, one value for each seed: of the final test ({all_}), then as the columns say"
    columns = {
        "seeds": _number("n", 0),
        "IQM": _number("iqm"),
        "95 % interval": _interval("iqm"),
        "mean": _number("mean"),
        "median": _number("median"),
        "std over seeds": _number("std"),
        f"best test ({few})": _number("best_mean"),
        f"last ten tests ({few})": _number("last_ten_mean"),
        f"final test on these {few}": _number("final_first_mean"),
        f"gap ({few})": _number("gap_mean"),
    }
    return _table(caption, rows, columns)


def _comparisons(rows: Sequence[Row], *, reference: str) -> PageTable:
    """Show how each block compares with the reference, whose label is shown as `reference`."""
    columns = {
        "seeds": _number("n", 0),
        "difference": _number("difference"),
        "smallest it could see": _number("smallest_difference"),
        "probability of improvement": _number("probability_of_improvement", 2),
        "95 % interval": _interval("improvement", 2),
        "p": _number("p", 3),
        "p, corrected": _number("p_holm", 3),
    }
    return _table(f"Compared with {reference}", rows, columns)


def _costs(rows: Sequence[Row]) -> PageTable:
    """Show what a run of each block cost."""
    columns = {
        "circuits run": _number("circuits", 0),
        "shots": _number("shots", 0),
        "wall time, s": _number("seconds", 0),
        "circuits that parameter shift would run": _number("parameter_shift_circuits", 0),
    }
    return _table("Of one run, mean of its seeds", rows, columns)


def _every_run(study: Study) -> PageTable:
    """Show the return and the folder of each run."""
    lines = [
        (label, (str(run.seed), number(value), _shown_path(run.path)))
        for label, runs in study.runs.items()
        for run, value in zip(runs, study.values(label), strict=True)
    ]
    return PageTable("Return of the final test of every run", ("block", "seed", "return", "folder"), lines)


def _table(caption: str, rows: Sequence[Row], columns: Columns) -> PageTable:
    return PageTable(
        caption, ["block", *columns], [(row.block, [cell(row) for cell in columns.values()]) for row in rows]
    )


def _number(column: str, digits: int = 1) -> Callable[[Row], str]:
    return lambda row: number(getattr(row, column), digits)


def _interval(column: str, digits: int = 1) -> Callable[[Row], str]:
    return lambda row: interval(getattr(row, f"{column}_low"), getattr(row, f"{column}_high"), digits)


def number(value: float, digits: int = 1) -> str:
    """Format a number with so many decimals; NaN as a dash."""
    return f"{value:,.{digits}f}".replace("-", "\N{MINUS SIGN}") if math.isfinite(value) else NONE


def interval(low: float, high: float, digits: int = 1) -> str:
    """Format an interval; NaN as a dash."""
    known = math.isfinite(low) and math.isfinite(high)
    return f"{number(low, digits)} to {number(high, digits)}" if known else NONE


def _shown_path(path: Path) -> str:
    """Return a path relative to the working folder, if it lies below it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def write_table(rows: Sequence[Row], path: Path) -> None:
    """Write the table as CSV, one line for each row; NaN as an empty cell.

    Args:
        rows: The table.
        path: The file, replaced if it exists.

    Raises:
        RunFolderError: It cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in dataclasses.fields(Row)])
    writer.writerows([_csv_cell(value) for value in dataclasses.astuple(row)] for row in rows)
    write_text(path, text.getvalue())


def _csv_cell(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.12g}"
    return str(value)


def format_table(rows: Sequence[Row], *, reference: str) -> str:
    """Return the main columns as a Markdown table.

    Args:
        rows: The table.
        reference: The label that the others were compared with.
    """

    def plain(column: str, digits: int = 1) -> Callable[[Row], str]:
        return lambda row: number(getattr(row, column), digits).replace("\N{MINUS SIGN}", "-").replace(NONE, "")

    def iqm(row: Row) -> str:
        return f"{row.iqm:.1f}" + ("" if math.isnan(row.iqm_low) else f" [{row.iqm_low:.1f}, {row.iqm_high:.1f}]")

    columns: Columns = {
        "block": lambda row: row.block,
        "n": plain("n", 0),
        "IQM [95 %]": iqm,
        "mean": plain("mean"),
        "best": plain("best_mean"),
        "last ten": plain("last_ten_mean"),
        "final, same starts": plain("final_first_mean"),
        f"better than {reference}": plain("probability_of_improvement", 2),
        "p (Holm)": plain("p_holm", 3),
        "smallest difference": plain("smallest_difference"),
        "verdict": lambda row: row.verdict,
        "circuits": plain("circuits", 0),
        "seconds": plain("seconds", 0),
    }
    texts = [[head, *(cell(row) for row in rows)] for head, cell in columns.items()]
    widths = [max(3, *map(len, column)) for column in texts]
    left = [head in ("block", "verdict") for head in columns]
    rule = ["-" * width if is_left else "-" * (width - 1) + ":" for width, is_left in zip(widths, left, strict=True)]
    head, *lines = zip(*texts, strict=True)
    aligned = [
        [
            text.ljust(width) if is_left else text.rjust(width)
            for text, width, is_left in zip(line, widths, left, strict=True)
        ]
        for line in (head, *lines)
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in [aligned[0], rule, *aligned[1:]])
