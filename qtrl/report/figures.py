"""The figures of a report as PNG files, drawn with Matplotlib."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qtrl.report.panels import GAP, LEARNING, PAPER, Bands, Panel, limits
from qtrl.report.runs import Study
from qtrl.report.styles import Style
from qtrl.report.table import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

RESOLUTION = 150
"""Pixels per inch."""
GROUP = 3
"""Blocks beside the reference in one pair of axes: the paper has three."""


FIGURES = tuple(f"{name}.png" for name in (LEARNING.name, "figure4", "returns", GAP.name, "improvement"))
"""Names of all files that a report may have."""


def draw_figures(
    study: Study, rows: Sequence[Row], bands: Bands, styles: Mapping[str, Style], *, reference: str
) -> dict[str, bytes]:
    """Draw all figures.

    Args:
        study: The runs.
        rows: The table of the study.
        bands: What is drawn over env steps.
        styles: The style of each label.
        reference: The label that the others are compared with.

    Returns:
        The contents of each PNG, by file name.
    """
    others = [row for row in rows if row.block != reference and np.isfinite(row.probability_of_improvement)]
    figures = {
        LEARNING.name: _by_group(LEARNING, bands, styles, reference),
        "figure4": _paper(bands, styles),
        "returns": _returns(study, rows, styles),
        GAP.name: _by_group(GAP, bands, styles, reference),
    }
    if others:
        figures["improvement"] = _improvement(others, styles, reference)
    return {f"{name}.png": _png(figure) for name, figure in figures.items()}


def _png(figure: "Figure") -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=RESOLUTION, metadata={"Software": None})
    return file.getvalue()


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))


def _by_group(panel: Panel, bands: Bands, styles: Mapping[str, Style], reference: str) -> "Figure":
    """Draw one metric in axes side by side, the reference in each: ten blocks in one could not be told apart."""
    others = [label for label in styles if label != reference]
    groups = [[reference, *others[i : i + GROUP]] for i in range(0, max(1, len(others)), GROUP)]
    figure = _figure(1 + 4.2 * max(2, len(groups)), 4.4)
    grid = figure.subplots(1, len(groups), squeeze=False, sharex=True, sharey=True)[0]
    for axes, group in zip(grid, groups, strict=True):
        _panel(axes, panel, bands, {label: styles[label] for label in group})
        axes.set_title("", loc="left")
        axes.legend(handles=_handles([styles[label] for label in group]), frameon=False, fontsize="small")
        axes.label_outer()
    figure.suptitle(f"{panel.title}: IQM over seeds with its 95 % interval", fontsize="medium")
    return figure


def _paper(bands: Bands, styles: Mapping[str, Style]) -> "Figure":
    figure = _figure(13.5, 6.6)
    for axes, panel in zip(figure.subplots(2, 3).flat, PAPER, strict=True):
        _panel(axes, panel, bands, styles)
    figure.legend(handles=_handles(list(styles.values())), loc="outside right upper", frameon=False)
    return figure


def _handles(styles: Sequence[Style]) -> list["Line2D"]:
    from matplotlib.lines import Line2D

    shapes: list[dict[str, Any]] = [{"color": style.light, "linestyle": style.dash[1]} for style in styles]
    texts = [_text(style.text) for style in styles]
    return [Line2D([], [], linewidth=1.6, label=text, **shape) for text, shape in zip(texts, shapes, strict=True)]


def _panel(axes: "Axes", panel: Panel, bands: Bands, styles: Mapping[str, Style]) -> None:
    from matplotlib.ticker import MaxNLocator

    first, *others = panel.metrics
    for label in [label for label in styles if label in bands[first]]:
        found, style = bands[first][label], styles[label]
        axes.plot(found.env_steps, found.iqm, color=style.light, linestyle=style.dash[1], linewidth=1.6)
        axes.fill_between(found.env_steps, found.low, found.high, color=style.light, alpha=0.15, linewidth=0)
    for metric in others:
        for label in [label for label in styles if label in bands[metric]]:
            found = bands[metric][label]
            axes.plot(found.env_steps, found.iqm, color=styles[label].light, linestyle=":", linewidth=1.6)
    if not bands[first]:
        axes.text(0.5, 0.5, "no run has this metric", transform=axes.transAxes, ha="center", color="0.4")
    elif panel.log:
        axes.set_yscale("log")
    shown = limits(bands[first].values(), log=panel.log)
    if shown is not None:
        axes.set_ylim(*shown)
    axes.set(xlabel="env steps", ylabel=panel.axis)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_title(panel.title, fontsize="medium", loc="left")
    _plain(axes)


def _plain(axes: "Axes") -> None:
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _returns(study: Study, rows: Sequence[Row], styles: Mapping[str, Style]) -> "Figure":
    figure, axes = _by_block([f"{styles[row.block].text} (n={row.n})" for row in rows])
    for place, row in enumerate(rows):
        style, values = styles[row.block], study.values(row.block)
        heights = place + 0.3 * (np.arange(len(values)) + 1) / (len(values) + 1)
        axes.plot(values, heights, "o", color=style.light, markersize=4, alpha=0.75)
        axes.plot([row.iqm_low, row.iqm_high], [place - 0.15] * 2, color=style.light, linewidth=2.5)
        axes.plot(row.iqm, place - 0.15, "o", color=style.light, markersize=8, markeredgecolor="white")
    axes.set(xlabel="return of the final test (reward)")
    axes.set_title("Each seed, small; their IQM with its 95 % interval, large", fontsize="medium", loc="left")
    return figure


def _improvement(rows: Sequence[Row], styles: Mapping[str, Style], reference: str) -> "Figure":
    figure, axes = _by_block([styles[row.block].text for row in rows])
    axes.axvline(0.5, color="0.55", linestyle="--", linewidth=1, zorder=0)
    for place, row in enumerate(rows):
        style = styles[row.block]
        axes.plot([row.improvement_low, row.improvement_high], [place] * 2, color=style.light, linewidth=2.5)
        axes.plot(row.probability_of_improvement, place, "o", color=style.light, markersize=8, clip_on=False)
    than = styles[reference].text
    axes.set(xlim=(0, 1), xlabel=_text(f"probability that a run of the block is better than one of {than}"))
    axes.set_title("Probability of improvement, with its 95 % interval", fontsize="medium", loc="left")
    return figure


def _by_block(labels: Sequence[str]) -> tuple["Figure", "Axes"]:
    """Make axes with a line for each block, the first on top."""
    figure = _figure(8, 1.4 + 0.5 * len(labels))
    axes = figure.subplots()
    axes.set_yticks(range(len(labels)), [_text(label) for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    _plain(axes)
    return figure, axes


def _text(label: str) -> str:
    """Keep Matplotlib from reading a label as mathematics."""
    return label.replace("$", r"\$")
