"""The measurements of `tangent.py` as a picture."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from frozen_layer import RECIPE, Setting
from interval_coverage import student
from tangent_circuits import methods
from tangent_grid import Size, around, found, ladder
from tangent_report import NAMES, cosines, measured

SHADES = ("#b9cfde", "#6c9bbd", "#1d3557")
"""Of the numbers of fits, few to many."""
COLORS = {"qtDNN": "#1d3557", "parameter_shift": "#e76f51", "spsa": "#2a9d8f"}
AXES = {
    "angle scale": "angle_scale",
    "qubits": "qubits",
    "repetitions": "reps",
    "shots": "shots",
    "noise": "angle_noise",
    "hidden": "hidden",
}
"""The field of a setting that an axis is about."""
LABELS = {
    "qubits": "qubits",
    "repetitions": "repetitions",
    "shots": "shots of each recorded circuit",
    "noise": "noise on the recorded angles, rad",
    "hidden": "hidden layer of the qtDNN",
    "angle scale": "angle scale, rad",
}
EXACT = 10_000
"""Where exact expectations stand on the axis of shots."""


def draw(record: dict[str, Any], size: Size, picture: Path) -> None:
    """Draw the cosine along the ladder, along each axis around the recipe, and over circuits."""
    from matplotlib.figure import Figure

    rows = _rows([axis for axis in AXES if len(_cells(record, size, axis)) > 1])
    figure = Figure(figsize=(14, 4.4 + 3.3 * len(rows)), dpi=150, layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[4.4, 3.3 * len(rows)])
    places = below.subplot_mosaic(rows) | {"ladder": above.subplots()}
    _ladder(record, size, places["ladder"])
    for axis in AXES.keys() & places.keys():
        _axis(record, size, axis, places[axis])
    _circuits(record, size, places["circuits"])
    for axes in places.values():
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    figure.savefig(picture)


def _rows(axes: list[str]) -> list[list[str]]:
    """Lay panels out in rows of four, of which the circuits fill the last."""
    panels = [*axes, *["circuits"] * (4 - len(axes) % 4)]
    return [panels[first : first + 4] for first in range(0, len(panels), 4)]


def _cells(record: dict[str, Any], size: Size, axis: str) -> list[tuple[Setting, list[dict[str, Any]]]]:
    """Return the settings of an axis that were measured, with their entries."""
    cells = [(setting, found(record, size.shrink(setting))) for _, setting in around()[axis]]
    return [(setting, entries) for setting, entries in cells if entries]


def _points(entries: Iterable[list[dict[str, Any]]], fits: int) -> tuple[list[float], list[float]]:
    """Return means over the seeds and half the widths of their intervals."""
    values = [np.array(cosines(of_seeds, fits)) for of_seeds in entries]
    return [value.mean() for value in values], [_half(value) for value in values]


def _half(values: np.ndarray) -> float:
    if len(values) < 2:
        return 0.0
    low, high = student(values)
    return float(high - low) / 2


def _ladder(record: dict[str, Any], size: Size, axes: Any) -> None:
    cells = [(name, found(record, size.shrink(setting))) for name, setting in ladder()]
    cells = [(name, entries) for name, entries in cells if entries]
    for shade, fits in zip(SHADES, size.fits, strict=False):
        means, halves = _points((entries for _, entries in cells), fits)
        axes.errorbar(means, range(len(cells)), xerr=halves, fmt="o", color=shade, capsize=3, label=f"{fits:,} fits")
    axes.set_yticks(range(len(cells)), [name if not place else f"+ {name}" for place, (name, _) in enumerate(cells)])
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_title("Cosine of the qtDNN's Jacobian with the exact one, from the paper's letter to the recipe")
    axes.legend(frameon=False, loc="upper right")


def _axis(record: dict[str, Any], size: Size, axis: str, axes: Any) -> None:
    field, cells = AXES[axis], _cells(record, size, axis)
    values = [_value(setting, field) for setting, _ in cells]
    for shade, fits in zip(SHADES, size.fits, strict=False):
        means, halves = _points((entries for _, entries in cells), fits)
        axes.errorbar(values, means, yerr=halves, fmt="o-", color=shade, capsize=3, markersize=4)
    if axis == "angle scale":
        known = [np.mean([entry["base_cosine"] for entry in entries]) for _, entries in cells]
        axes.plot(values, known, "--", color="#e76f51", label="base point's")
        axes.legend(frameon=False, fontsize="x-small")
    axes.axvline(_value(RECIPE, field), color="#e9c46a", linewidth=6, alpha=0.4, zorder=0)
    if axis in ("shots", "hidden", "angle scale"):
        axes.set_xscale("log")
    if axis == "shots":
        axes.set_xticks([1, 10, 100, 1000, EXACT], ["1", "10", "100", "1,000", "exact"])
    if axis in ("hidden", "angle scale"):
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.minorticks_off()
    axes.set(xlabel=LABELS[axis], ylim=(None, 1.02))


def _value(setting: Setting, field: str) -> float:
    value = getattr(setting, field)
    return EXACT if value is None else value


def _circuits(record: dict[str, Any], size: Size, axes: Any) -> None:
    spsa = [method for method in methods(size) if method["method"] == "spsa"]
    for method, style in zip(spsa, ("-", "--"), strict=True):
        points = measured(record, method)
        means = [np.mean(cosine) for cosine in points.values()]
        name = "exact" if method["shots"] is None else f"{method['shots']} shots"
        axes.plot(list(points), means, style, marker=".", color=COLORS["spsa"], label=f"{NAMES['spsa']}, {name}")
    _shifts(record, size, axes)
    entries = found(record, size.shrink(RECIPE))
    for shade, fits in zip(SHADES, size.fits if entries else (), strict=False):
        axes.axhline(np.mean(cosines(entries, fits)), color=shade, linewidth=1.5, label=f"qtDNN, {fits:,} fits")
    axes.set(xlabel="circuits that the gradient of one row takes", xscale="log", ylim=(None, 1.02))
    axes.legend(frameon=False, fontsize="x-small")


def _shifts(record: dict[str, Any], size: Size, axes: Any) -> None:
    for method in methods(size)[: len(size.shots)]:
        for circuits, cosine in measured(record, method).items():
            label = NAMES["parameter_shift"] if method["shots"] == size.shots[0] else None
            axes.plot(circuits, np.mean(cosine), "D", color=COLORS["parameter_shift"], label=label)
            axes.annotate(
                f"{method['shots']:,} shot{'s' * (method['shots'] > 1)}",
                (circuits, np.mean(cosine)),
                xytext=(7, -3),
                fontsize="x-small",
                textcoords="offset points",
            )
