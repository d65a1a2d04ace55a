"""The figures of a report as interactive Plotly plots; their colours are CSS variables of the page.

Texts in Plotly may hold a few HTML tags, so labels are escaped.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from qtrl.report.panels import GAP, LEARNING, PAPER, Bands, Panel, limits
from qtrl.report.runs import Study
from qtrl.report.statistics import Band
from qtrl.report.styles import Style
from qtrl.report.table import Row

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

WITH_INTERVAL = "%{y:,.4~g}  [%{customdata[0]:,.4~g}, %{customdata[1]:,.4~g}]"
"""What is shown where the pointer is."""
INTERVAL = "interval"
"""Marks the traces that the page can hide apart from their curves."""
LARGE, SMALL = 420, 300
"""Pixels of height."""
FEWEST_LINES = 3
"""Blocks below which a plot with a line for each is no lower."""


@dataclass(frozen=True)
class Plot:
    """One plot of the page.

    Attributes:
        name: Its address in the page.
        title: What stands above.
        note: What stands below.
        alternative: What it shows, for who cannot see it.
        height: In pixels.
        figure: The plot as Plotly's JSON.
    """

    name: str
    title: str
    note: str
    alternative: str
    height: int
    figure: str


def learning_curves(bands: Bands, styles: Mapping[str, Style]) -> Plot:
    """Plot test returns over env steps."""
    return _over_env_steps(LEARNING, bands, styles, height=LARGE)


def gap(bands: Bands, styles: Mapping[str, Style]) -> Plot:
    """Plot what training returns are above test returns."""
    return _over_env_steps(GAP, bands, styles, height=LARGE)


def paper_panels(bands: Bands, styles: Mapping[str, Style]) -> list[Plot]:
    """Plot the panels of the paper's Figure 4."""
    return [_over_env_steps(panel, bands, styles, height=SMALL) for panel in PAPER]


def _over_env_steps(panel: Panel, bands: Bands, styles: Mapping[str, Style], *, height: int) -> Plot:
    from plotly.graph_objects import Figure

    first, *others = panel.metrics
    figure = Figure(layout=_layout(height, x="env steps", y=panel.axis))
    for label, found in bands[first].items():
        _add_interval(figure, found, styles[label])
    for label, found in bands[first].items():  # above all intervals
        _add_curve(figure, found, styles[label])
    for metric in others:
        for label, found in bands[metric].items():
            style = styles[label]
            figure.add_scatter(
                **_trace(style, name=f"{style.text}, after the fit"),
                x=found.env_steps,
                y=found.iqm,
                mode="lines",
                line={"color": style.color, "dash": "dot"},
                hovertemplate="%{y:,.4~g}",
            )
    figure.update_layout(hovermode="x unified", xaxis={"hoverformat": ",d", "rangemode": "tozero"})
    shown = limits(bands[first].values(), log=panel.log)
    if panel.log:
        figure.update_yaxes(type="log", dtick=1)
    if shown is not None:
        figure.update_yaxes(range=np.log10(shown) if panel.log else shown)
    return _plot(panel.name, panel.title, panel.note, _last_values(bands[first], styles), figure)


def _add_interval(figure: "Figure", found: Band, style: Style) -> None:
    known = np.isfinite(found.low) & np.isfinite(found.high)
    steps, low, high = (values[known] for values in (found.env_steps, found.low, found.high))
    if known.any():
        figure.add_scatter(
            **_trace(style),
            meta=INTERVAL,
            x=np.concatenate([steps, steps[::-1]]),
            y=np.concatenate([high, low[::-1]]),
            mode="lines",
            line={"width": 0, "color": style.band_color},
            fill="toself",
            fillcolor=style.band_color,
            hoverinfo="skip",
        )


def _add_curve(figure: "Figure", found: Band, style: Style) -> None:
    figure.add_scatter(
        **_trace(style),
        x=found.env_steps,
        y=found.iqm,
        customdata=np.stack([found.low, found.high], axis=-1),
        mode="lines",
        line={"color": style.color, "dash": style.dash[0], "width": 2},
        hovertemplate=WITH_INTERVAL if np.isfinite(found.low).any() else "%{y:,.4~g}",
    )


def returns(study: Study, rows: Sequence[Row], styles: Mapping[str, Style]) -> Plot:
    """Plot the final return of each seed, and of each block the IQM with its interval."""
    figure = _by_block([f"{styles[row.block].text} (n={row.n})" for row in rows], "final return (reward)")
    for place, row in enumerate(rows):
        style, values = styles[row.block], study.values(row.block)
        figure.add_scatter(
            **_trace(style),
            x=values,
            y=place + 0.3 * (np.arange(len(values)) + 1) / (len(values) + 1),
            customdata=[run.seed for run in study.runs[row.block]],
            mode="markers",
            marker={"color": style.color, "size": 7, "opacity": 0.75},
            hovertemplate="seed %{customdata}: %{x:,.4~g}",
        )
        _add_estimate(figure, style, place - 0.15, row.iqm, (row.iqm_low, row.iqm_high))
    note = "Small: the mean return of each seed's final test. Large: their interquartile mean with its 95 % interval."
    text = "; ".join(f"{styles[row.block].text} {row.iqm:.4g}, {row.n} seeds" for row in rows)
    return _plot("returns", "Final return of each seed", note, f"Interquartile mean: {text}.", figure)


def improvement(rows: Sequence[Row], styles: Mapping[str, Style], *, reference: str) -> Plot:
    """Plot how probable it is that a run of a block is better than one of the reference."""
    than = styles[reference].text
    figure = _by_block([styles[row.block].text for row in rows], "probability")
    for place, row in enumerate(rows):
        interval = (row.improvement_low, row.improvement_high)
        _add_estimate(figure, styles[row.block], place, row.probability_of_improvement, interval)
    figure.update_xaxes(range=[-0.02, 1.02], zeroline=False, tickvals=[0, 0.25, 0.5, 0.75, 1])
    figure.add_vline(x=0.5, line={"color": "var(--muted)", "dash": "dash", "width": 1.5})
    note = (
        f"How often a run of the block has a higher return than a run of {than}, over all pairs of seeds. "
        "At 0.5 neither is better; an interval that holds 0.5 tells them not apart."
    )
    text = "; ".join(f"{styles[row.block].text} {row.probability_of_improvement:.2f}" for row in rows)
    return _plot("improvement", f"Probability of improvement over {than}", note, f"{text}.", figure)


def _add_estimate(figure: "Figure", style: Style, height: float, value: float, interval: tuple[float, float]) -> None:
    low, high = interval
    known = bool(np.isfinite(low) and np.isfinite(high))
    if known:
        line = {"color": style.color, "width": 3}
        figure.add_scatter(**_trace(style), x=interval, y=[height] * 2, mode="lines", line=line, hoverinfo="skip")
    figure.add_scatter(
        **_trace(style),
        x=[value],
        y=[height],
        customdata=[[low, high]],
        mode="markers",
        marker={"color": style.color, "size": 13, "line": {"color": "var(--card)", "width": 1.5}},
        hovertemplate=WITH_INTERVAL.replace("%{y:", "%{x:") if known else "%{x:,.4~g}",
        cliponaxis=False,
    )


def _trace(style: Style, name: str | None = None) -> dict[str, Any]:
    """Return what all traces of a block have; the page shows and hides them by their group."""
    return {"name": html.escape(name or style.text), "legendgroup": str(style.number)}


def _by_block(labels: Sequence[str], axis: str) -> "Figure":
    """Make a plot with a line for each block, the first on top."""
    from plotly.graph_objects import Figure

    figure = Figure(layout=_layout(120 + 46 * max(FEWEST_LINES, len(labels)), x=axis, y=None))
    figure.update_yaxes(
        tickvals=list(range(len(labels))),
        ticktext=[html.escape(label) for label in labels],
        range=[len(labels) - 0.5, -0.5],
        fixedrange=True,
        showgrid=False,
        zeroline=False,
    )
    return figure


def _layout(height: int, *, x: str, y: str | None) -> dict[str, Any]:
    axis = {
        "gridcolor": "var(--grid)",
        "zerolinecolor": "var(--grid)",
        "linecolor": "var(--muted)",
        "automargin": True,
    }
    return {
        "template": "none",
        "height": height,
        "autosize": True,
        "showlegend": False,
        "paper_bgcolor": "var(--card)",
        "plot_bgcolor": "var(--card)",
        "font": {"color": "var(--text)", "size": 13},
        "hoverlabel": {
            "bgcolor": "var(--card)",
            "bordercolor": "var(--muted)",
            "font": {"color": "var(--text)"},
            "namelength": -1,
        },
        "modebar": {"bgcolor": "var(--card)", "color": "var(--muted)", "activecolor": "var(--text)"},
        "margin": {"l": 8, "r": 12, "t": 28, "b": 8},
        "xaxis": axis | {"title": {"text": x, "font": {"size": 13}, "standoff": 6}},
        "yaxis": axis | {"title": {"text": y, "font": {"size": 13}}},
        "uirevision": "kept",
    }


def _last_values(bands: Mapping[str, Band], styles: Mapping[str, Style]) -> str:
    """Say in words where the curves end."""
    ends = [f"{styles[label].text} {found.iqm[-1]:.4g} ({found.n} seeds)" for label, found in bands.items()]
    return f"Last interquartile means: {'; '.join(ends)}." if ends else "No run has this metric."


def _plot(name: str, title: str, note: str, alternative: str, figure: "Figure") -> Plot:
    if not figure.data:
        figure.add_annotation(text="no run has this metric", x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False)
    return Plot(name, title, note, f"{title}. {alternative}", int(figure.layout.height), figure.to_json())
