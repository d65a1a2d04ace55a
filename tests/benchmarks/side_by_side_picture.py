"""The side-by-side benchmark as a picture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from contenders import SB3
from side_by_side_report import AIMS, FC, PQC, Cells, best_cells, numbers_of_envs

COLORS = {SB3: "#9aa5b1", "CleanRL-style TD3": "#52616f", FC: "#2a9d8f", PQC: "#e76f51"}


def draw(record: dict[str, Any], picture: Path) -> None:
    """Draw bars of speed with quartiles and the targets, and beside them bars of memory."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5.2), dpi=150, layout="constrained")
    speed, memory = figure.subplots(1, 2, width_ratios=[2.2, 1])
    cells = best_cells(record)
    for axes, title in ((speed, "env steps per second while learning"), (memory, "peak memory, GB")):
        axes.set_title(title, loc="left", fontweight="bold")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(left=False)
        axes.grid(axis="y", alpha=0.3)
        axes.set_axisbelow(True)
        _groups(axes, numbers_of_envs(record))
    _draw_bars(record, speed, lambda name, envs: cells[name, envs].quartiles[1], "{:.0f}")
    _draw_bars(record, memory, lambda name, envs: 1e-3 * cells[name, envs].megabytes, None)
    _draw_quartiles_and_aims(record, speed, cells)
    handles, labels = speed.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.savefig(picture)


def _groups(axes: Any, envs: list[int]) -> None:
    axes.set_xticks(range(len(envs)), map(str, envs))
    axes.set_xlabel("environments")
    axes.tick_params(axis="x", length=0)


def _place(record: dict[str, Any], name: str, group: int) -> tuple[float, float]:
    """Return the middle and the width of a contender's bar in a group."""
    names = list(record["how"])
    width = 0.84 / len(names)
    return group + width * (names.index(name) - (len(names) - 1) / 2), width


def _draw_bars(record: dict[str, Any], axes: Any, height: Callable[[str, int], float], label: str | None) -> None:
    for name in record["how"]:
        heights = [height(name, count) for count in numbers_of_envs(record)]
        places = [_place(record, name, group) for group in range(len(heights))]
        xs, width = [middle for middle, _ in places], 0.92 * places[0][1]
        bars = axes.bar(xs, heights, width, color=COLORS.get(name), label=name)
        if label:
            texts = [label.format(value) for value in heights]
            axes.bar_label(bars, texts, label_type="center", color="white", fontweight="bold")


def _draw_quartiles_and_aims(record: dict[str, Any], axes: Any, cells: Cells) -> None:
    """Put a whisker on each bar, and over those with a target lines at it and at its floor."""
    labels = {0: "target", 1: "floor"}
    for group, count in enumerate(numbers_of_envs(record)):
        for name in record["how"]:
            x, width = _place(record, name, group)
            low, middle, high = cells[name, count].quartiles
            axes.errorbar(x, middle, [[middle - low], [high - middle]], color="black", capsize=3, linewidth=1.2)
            for place, times in enumerate(AIMS.get(name, ()) if (SB3, count) in cells else ()):
                level = times * cells[SB3, count].quartiles[1]
                style, color = ("-", ":")[place], "#1d3557"
                axes.hlines(
                    level, x - width / 2, x + width / 2, color, style, linewidth=2, label=labels.pop(place, None)
                )
