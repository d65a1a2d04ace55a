"""The figures of a report."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from qtrl.analysis.drawing.export import Tooltip, escaped, new_figure, to_svg
from qtrl.analysis.drawing.panels import (
    EXAMPLES,
    GAP,
    PAPER,
    QUANTUM_LAYER,
    Bands,
    Panel,
    bands_of,
    info_panels,
    learning_panel,
    limits,
    logged,
)
from qtrl.analysis.drawing.styles import Style, styles_of
from qtrl.analysis.runs.measure import Measure
from qtrl.analysis.runs.study import Study
from qtrl.analysis.statistics.table import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GROUP = 3
"""Blocks besides the reference in one pair of axes: the paper has three."""
NAMES = ("returns", "scores", "improvement", "learning_curves", "figure4", "examples", "info", "quantum_layer", "gap")
"""Of all figures that a report can have, in the order of the page."""
QUESTION = "Is the layer used, and does its gradient point the right way?"
Styles = Mapping[str, Style]


@dataclass(frozen=True)
class Drawing:
    """A figure of the report, with its texts in the page: notes below it, tooltips, and values for who cannot see it.

    `name` is that of its file, and its address in the page.
    """

    name: str
    title: str
    notes: Sequence[str]
    figure: "Figure"
    tooltips: list[Tooltip] = field(default_factory=list)
    values: list[str] = field(default_factory=list)

    def svg(self) -> str:
        """Return the figure as an SVG element."""
        return to_svg(self.figure, self.tooltips)


def draw_figures(study: Study, rows: Sequence[Row], *, reference: str) -> list[Drawing]:
    """Draw all figures of a study, whose table has `rows`; the others are compared with the label `reference`."""
    styles, bands = styles_of(study.runs), bands_of(study)
    others = [row for row in rows if row.block != reference and np.isfinite(row.probability_of_improvement)]
    said, learned = info_panels(study), logged(study, EXAMPLES)
    probed = any(bands[metric] for panel in QUANTUM_LAYER for metric in panel.metrics)
    agents = study.measure.starts is not None
    drawings = [
        _scores(study, rows, styles),
        *([_improvement(others, styles, reference, study.measure)] if others else []),
        _by_group("learning_curves", learning_panel(study.measure), bands, styles, reference),
        *([_grid("figure4", "The panels of the paper's Figure 4", PAPER, bands, styles)] if agents else []),
        *([_grid("examples", "How the model learned", learned, bands, styles)] if learned and not agents else []),
        *([_grid("info", "What the environment says of itself", said, bands, styles)] if said else []),
        *([_grid("quantum_layer", QUESTION, QUANTUM_LAYER, bands, styles)] if probed else []),
        *([_by_group("gap", GAP, bands, styles, reference)] if agents else []),
    ]
    for drawing in drawings:
        drawing.figure.draw_without_rendering()  # computes the layout, once for all formats
        drawing.figure.set_layout_engine("none")
    return drawings


def _scores(study: Study, rows: Sequence[Row], styles: Styles) -> Drawing:
    figure, axes = _by_block([f"{styles[row.block].text} (n={row.n})" for row in rows])
    measure = study.measure
    file, score = ("scores", measure.name) if measure.starts is None else ("returns", f"mean {measure.name}")
    note = f"Small: the {score} of each seed's final test. Large: their interquartile mean with its 95 % interval."
    drawing = Drawing(file, f"Final {measure.name} of each seed", [note], figure)
    for place, row in enumerate(rows):
        style, values = styles[row.block], study.values(row.block)
        heights = place + 0.3 * (np.arange(len(values)) + 1) / (len(values) + 1)
        axes.plot(values, heights, "o", color=style.color, markersize=4, alpha=0.75, gid=style.css_class)
        for run, value, height in zip(study.runs[row.block], values, heights, strict=True):
            text = f"{style.text}, seed {run.seed}: {value:,.4g}"
            drawing.tooltips.append(Tooltip(axes, value, height, text, style.css_class))
        _add_estimate(drawing, axes, style, place - 0.15, row.iqm, (row.iqm_low, row.iqm_high))
    axes.set(xlabel=escaped(f"{measure.name} of the final test ({measure.unit})"))
    axes.set_title("Each seed, small; their IQM with its 95 % interval, large", fontsize="medium", loc="left")
    return drawing


def _improvement(rows: Sequence[Row], styles: Styles, reference: str, measure: Measure) -> Drawing:
    than = styles[reference].text
    note = (
        f"How often a run of the block has a higher {measure.name} than a run of {than}, over all pairs of seeds. "
        "At 0.5 neither is better; an interval that holds 0.5 tells them not apart."
    )
    figure, axes = _by_block([styles[row.block].text for row in rows])
    drawing = Drawing("improvement", f"Probability of improvement over {than}", [note], figure)
    axes.axvline(0.5, color="#b0b0b0", linestyle="--", linewidth=1, zorder=0)
    for place, row in enumerate(rows):
        interval = (row.improvement_low, row.improvement_high)
        _add_estimate(drawing, axes, styles[row.block], place, row.probability_of_improvement, interval)
    axes.set(xlim=(0, 1), xlabel=escaped(f"probability that a run of the block is better than one of {than}"))
    axes.set_title("Probability of improvement, with its 95 % interval", fontsize="medium", loc="left")
    return drawing


def _by_block(labels: Sequence[str]) -> tuple["Figure", "Axes"]:
    """Make axes with a line for each block, the first on top."""
    figure = new_figure(8, 1.4 + 0.5 * len(labels))
    axes = figure.subplots()
    axes.set_yticks(range(len(labels)), [escaped(label) for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    _add_grid(axes)
    return figure, axes


def _add_estimate(
    drawing: Drawing, axes: "Axes", style: Style, y: float, value: float, interval: tuple[float, float]
) -> None:
    text = f"{style.text}: {value:,.4g}{_interval(*interval)}"
    shape: dict[str, Any] = {"color": style.color, "gid": style.css_class}
    axes.plot(interval, [y, y], linewidth=2.5, **shape)
    axes.plot(value, y, "o", markersize=8, markeredgecolor="white", clip_on=False, **shape)
    drawing.tooltips.append(Tooltip(axes, value, y, text, style.css_class))
    drawing.values.append(text)


def _by_group(name: str, panel: Panel, bands: Bands, styles: Styles, reference: str) -> Drawing:
    """Draw one metric in axes side by side, the reference in each: ten labels in one could not be told apart."""
    others = [label for label in styles if label != reference]
    groups = [[reference, *others[i : i + GROUP]] for i in range(0, max(1, len(others)), GROUP)]
    figure = new_figure(1 + 4.2 * max(2, len(groups)), 4.4)
    drawing = Drawing(name, panel.title, [panel.note], figure)
    grid = figure.subplots(1, len(groups), squeeze=False, sharex=True, sharey=True)[0]
    for axes, group in zip(grid, groups, strict=True):
        _add_panel(drawing, axes, panel, bands, {label: styles[label] for label in group})
        _add_legend(axes, [styles[label] for label in group], fontsize="small")
        axes.label_outer()
    figure.suptitle(f"{escaped(panel.title)}: IQM over seeds with its 95 % interval", fontsize="medium")
    return drawing


def _grid(name: str, title: str, panels: Sequence[Panel], bands: Bands, styles: Styles) -> Drawing:
    """Draw panels, three side by side."""
    rows = math.ceil(len(panels) / 3)
    figure = new_figure(13.5, 0.6 + 3.0 * rows)
    drawing = Drawing(name, title, [f"{panel.title}: {panel.note}" for panel in panels], figure)
    places = figure.subplots(rows, 3, squeeze=False).flatten().tolist()
    for axes, panel in zip(places, panels, strict=False):
        _add_panel(drawing, axes, panel, bands, styles)
        axes.set_title(panel.title, fontsize="medium", loc="left")
    for axes in places[len(panels) :]:
        axes.set_visible(False)
    _add_legend(figure, styles.values(), loc="outside right upper")
    return drawing


def _add_legend(target: "Axes | Figure", styles: Collection[Style], **options: Any) -> None:
    from matplotlib.lines import Line2D

    looks: list[dict[str, Any]] = [{"color": style.color, "linestyle": style.dash} for style in styles]
    keys = [Line2D([], [], linewidth=1.6, **look) for look in looks]
    target.legend(keys, [escaped(style.text) for style in styles], frameon=False, **options)


def _add_panel(drawing: Drawing, axes: "Axes", panel: Panel, bands: Bands, styles: Styles) -> None:
    first, *others = panel.metrics
    drawn = {label: bands[first][label] for label in styles if label in bands[first]}
    for label, band in drawn.items():
        _, shown, color, dash, css_class = styles[label]
        axes.plot(band.env_steps, band.iqm, color=color, linestyle=dash, linewidth=1.6, gid=css_class)
        interval = axes.fill_between(band.env_steps, band.low, band.high, color=color, alpha=0.15, linewidth=0)
        interval.set_gid(f"{css_class} interval")
        for place in np.unique(np.linspace(0, len(band.env_steps) - 1, 25).round().astype(int)):  # those with a tooltip
            value = f"{band.iqm[place]:,.4g}{_interval(band.low[place], band.high[place])}"
            text = f"{shown} at {band.env_steps[place]:,.0f} {panel.counts}: {value}"
            drawing.tooltips.append(Tooltip(axes, band.env_steps[place], band.iqm[place], text, css_class))
        drawing.values.append(f"{panel.title}: {text}")
    for metric in others:
        for label in [label for label in styles if label in bands[metric]]:
            band, style = bands[metric][label], styles[label]
            axes.plot(band.env_steps, band.iqm, color=style.color, linestyle=":", linewidth=1.6, gid=style.css_class)
    if not drawn:
        axes.text(0.5, 0.5, "no run has this metric", transform=axes.transAxes, ha="center")
    _set_scales(axes, panel, limits(drawn.values(), log=panel.log))


def _set_scales(axes: "Axes", panel: Panel, shown: tuple[float, float] | None) -> None:
    from matplotlib.ticker import MaxNLocator

    if shown is not None:
        if panel.log:
            axes.set_yscale("log")
        axes.set_ylim(*shown)
    axes.set(xlabel=escaped(panel.counts), ylabel=escaped(panel.axis))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    _add_grid(axes)


def _add_grid(axes: "Axes") -> None:
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _interval(low: float, high: float) -> str:
    return f" [{low:,.4g}, {high:,.4g}]" if np.isfinite(low) and np.isfinite(high) else ""
