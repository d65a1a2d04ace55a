"""One policy under several conditions, as a table and as a figure."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtrl.analysis.drawing.export import escaped, new_figure, to_png
from qtrl.analysis.statistics.paired import AGENT, PairedComparison, Terms
from qtrl.files.atomic import write_bytes, write_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def columns(terms: Terms = AGENT) -> tuple[str, ...]:
    """Return the columns of the CSV."""
    scores = (f"{terms.column}_mean", f"{terms.column}_std")
    return ("condition", "n", *scores, "difference", "low", "high", "uninformed", "finding")


def note(episodes: int, terms: Terms = AGENT) -> str:
    """Return what a reader of the table must know."""
    return (
        f"Differences are to the run as it is, with 95 % bootstrap intervals over {episodes} {terms.cases} "
        f"{terms.alike}, one in twenty of which excludes 0 by chance. These are {terms.cases} of one {terms.subject}: "
        f"a statement about this {terms.subject}, not about the method that trained it."
    )


def print_table(conditions: Sequence[PairedComparison], *, title: str, terms: Terms = AGENT) -> None:
    """Print one row for each condition, the reference first."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, caption=note(len(conditions[0].returns), terms), box=SIMPLE, title_justify="left")
    table.caption_justify = "left"
    for name in ("condition", terms.score, "difference", "95 % interval", "finding"):
        table.add_column(name, justify="left" if name in ("condition", "finding") else "right")
    for paired in conditions:
        interval = f"[{paired.low:.1f}, {paired.high:.1f}]"
        returns = f"{paired.return_mean:.1f} ± {paired.return_std:.1f}"
        table.add_row(paired.name, returns, f"{paired.difference:+.1f}", interval, paired.finding)
    console = Console(markup=False, highlight=False)
    console.width = max(console.width, 100)  # in less the table would be cut
    console.print(table)


def write_conditions(conditions: Sequence[PairedComparison], path: Path, *, terms: Terms = AGENT) -> None:
    """Write one row for each condition as CSV, the reference first; columns: docs/frozen_policy.md.

    Raises:
        RunFolderError: It cannot be written.
    """
    rows = []
    for paired in conditions:
        numbers = (paired.return_mean, paired.return_std, paired.difference, paired.low, paired.high)
        uninformed = str(paired.uninformed).lower()
        rows.append((paired.name, len(paired.returns), *map(repr, numbers), uninformed, paired.finding))
    write_csv(path, [columns(terms), *rows])


def draw_frozen_policy(
    conditions: Sequence[PairedComparison], picture: Path, *, title: str, terms: Terms = AGENT
) -> None:
    """Draw the differences to the reference as PNG, those of other readouts above those of uninformed outputs.

    The first condition is the reference, which is the line at 0.

    Raises:
        RunFolderError: The picture cannot be written.
    """
    groups = [[paired for paired in conditions[1:] if paired.uninformed is uninformed] for uninformed in (False, True)]
    names = ("the layer, changed", f"something in its place that knows nothing of the {terms.given}")
    panels = [panel for panel in zip(names, ("tab:blue", "tab:red"), groups, strict=True) if panel[-1]]
    sizes = [0.32 * len(group) + 1.0 for _, _, group in panels]  # inches
    figure = new_figure(8, sum(sizes) + 0.6)
    grid: Any = figure.subplots(len(panels), squeeze=False, height_ratios=sizes)[:, 0] if panels else []
    scales = "; scales differ" if len(panels) > 1 else ""
    figure.suptitle(
        f"{escaped(title)}\n{len(conditions[0].returns)} {terms.cases} of one {terms.subject}{scales}", fontsize=11
    )
    for axes, (name, color, group) in zip(grid, panels, strict=True):
        _draw_panel(axes, group, color)
        axes.set_title(name, fontsize=10, loc="left")
    each = terms.cases.removesuffix("s")
    figure.supxlabel(f"{terms.score} less that of the run as it is: mean, 95 % interval, each {each}", fontsize=10)
    write_bytes(picture, to_png(figure))


def _draw_panel(axes: "Axes", group: Sequence[PairedComparison], color: str) -> None:
    for row, paired in enumerate(group):
        axes.plot(paired.differences, [row] * len(paired.differences), "|", color="0.6", markersize=8, zorder=1)
        axes.plot((paired.low, paired.high), (row, row), color=color, linewidth=2.5, zorder=2)
        axes.plot(paired.difference, row, "o", color=color, markersize=5, zorder=3)
    axes.axvline(0, color="0.3", linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(group)), [paired.name for paired in group])
    axes.set_ylim(len(group) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)
