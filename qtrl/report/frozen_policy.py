"""A policy under several conditions, as a table and as a picture."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtrl.errors import RunFolderError
from qtrl.files.atomic import write_text
from qtrl.report.pairs import Pairs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("condition", "n", "return_mean", "return_std", "difference", "low", "high", "uninformed", "finding")
NARROWEST = 100
"""Columns of a terminal below which the printed table would be cut."""
ROW, FRAME = 0.32, 1.0
"""Inches of a picture for each condition, and around each panel."""


def note(episodes: int) -> str:
    """Return what a reader of the table must know."""
    return (
        f"Differences are to the run as it is, with 95 % bootstrap intervals over {episodes} episodes begun alike, "
        "one in twenty of which excludes 0 by chance. These are episodes of one policy: a statement about this policy, "
        "not about the method that trained it."
    )


def print_table(conditions: Sequence[Pairs], *, title: str) -> None:
    """Print one row for each condition, the reference first."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, caption=note(len(conditions[0].returns)), box=SIMPLE, title_justify="left")
    table.caption_justify = "left"
    table.add_column("condition")
    for name in ("return", "difference", "95 % interval"):
        table.add_column(name, justify="right")
    table.add_column("finding")
    for pairs in conditions:
        interval = f"[{pairs.low:.1f}, {pairs.high:.1f}]"
        table.add_row(pairs.name, f"{pairs.return_mean:.1f} ± {pairs.return_std:.1f}", *_compared(pairs, interval))
    console = Console(markup=False, highlight=False)
    console.width = max(console.width, NARROWEST)
    console.print(table)


def _compared(pairs: Pairs, interval: str) -> tuple[str, str, str]:
    return f"{pairs.difference:+.1f}", interval, pairs.finding


def write_csv(conditions: Sequence[Pairs], path: Path) -> None:
    """Write one row for each condition, the reference first; columns: docs/frozen_policy.md.

    Raises:
        RunFolderError: It cannot be written.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for pairs in conditions:
        numbers = (pairs.return_mean, pairs.return_std, pairs.difference, pairs.low, pairs.high)
        uninformed = str(pairs.uninformed).lower()
        writer.writerow((pairs.name, len(pairs.returns), *map(repr, numbers), uninformed, pairs.finding))
    write_text(path, file.getvalue())


def draw_frozen_policy(conditions: Sequence[Pairs], picture: Path, *, title: str) -> None:
    """Draw the differences to the reference: those of readouts above, those of uninformed outputs below.

    Args:
        conditions: The first is the reference, which is the line at 0.
        picture: The PNG to write.
        title: Stands above the axes.

    Raises:
        RunFolderError: The picture cannot be written.
    """
    from matplotlib.figure import Figure

    panels = [panel for panel in _panels(conditions[1:]) if panel[2]]
    sizes = [ROW * len(group) + FRAME for _, _, group in panels]
    figure = Figure(figsize=(8, sum(sizes) + 0.6), dpi=150, layout="constrained")
    grid = figure.add_gridspec(max(1, len(panels)), height_ratios=sizes or None)
    scales = "; scales differ" if len(panels) > 1 else ""
    figure.suptitle(f"{title}\n{len(conditions[0].returns)} episodes of one policy{scales}", fontsize=11)
    for row, (name, color, group) in enumerate(panels):
        axes = figure.add_subplot(grid[row])
        _draw_panel(axes, group, color)
        axes.set_title(name, fontsize=10, loc="left")
        if row == len(panels) - 1:
            axes.set_xlabel("return less that of the run as it is: mean, 95 % interval, each episode")
    try:
        figure.savefig(picture)
    except OSError as error:
        raise RunFolderError(f"{picture} cannot be written: {error.strerror}; all else of the study is") from error


def _panels(conditions: Sequence[Pairs]) -> list[tuple[str, str, list[Pairs]]]:
    """Return the title, the color and the conditions of each panel."""
    informed = [pairs for pairs in conditions if not pairs.uninformed]
    uninformed = [pairs for pairs in conditions if pairs.uninformed]
    replaced = "something in its place that knows nothing of the state"
    return [("the layer, changed", "tab:blue", informed), (replaced, "tab:red", uninformed)]


def _draw_panel(axes: "Axes", group: Sequence[Pairs], color: str) -> None:
    for row, pairs in enumerate(group):
        axes.plot(pairs.differences, [row] * len(pairs.differences), "|", color="0.6", markersize=8, zorder=1)
        axes.plot((pairs.low, pairs.high), (row, row), color=color, linewidth=2.5, zorder=2)
        axes.plot(pairs.difference, row, "o", color=color, markersize=5, zorder=3)
    axes.axvline(0, color="0.3", linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(group)), [pairs.name for pairs in group])
    axes.set_ylim(len(group) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)
