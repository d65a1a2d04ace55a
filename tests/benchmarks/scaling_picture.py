"""The scaling benchmark as a picture."""

from pathlib import Path
from typing import Any

from flops import classical_flops, update_flops
from scaling_report import BLOCKS, PARTS, circuit, collection, machine, updates

COLORS = {"pqc": "#e76f51", "fc": "#2a9d8f"}
SHADES = ("#1d3557", "#457b9d", "#8ab6d6", "#cfdbe4")


def draw(record: dict[str, Any], picture: Path) -> None:
    """Draw the operations of an update, then times along each axis; dashed lines are arithmetic alone."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 7.5), dpi=150, layout="constrained")
    (parts, batch, width), (qubits, circuits, envs) = figure.subplots(2, 3)
    _parts(parts)
    for axes, axis, label in (
        (batch, "batch", "batch"),
        (width, "width", "width of the qtDNN"),
        (qubits, "qubits", ""),
    ):
        _updates(record, axes, axis)
        axes.set(xlabel=label or "qubits, qtDNN of width 2^(n + 1)", title="one update, ms")
    _circuits(record, circuits)
    for block in BLOCKS:
        rates = collection(record, "envs", block)
        _line(envs, list(rates), list(rates.values()), color=COLORS[block], label=block)
    envs.set(xlabel="environments", title="collecting, env steps/s", ylim=(0, None))
    for axes in (batch, width, qubits, circuits, envs):
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize="small")
    for axes in (parts, batch, width, qubits, circuits, envs):
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(axes.get_title(), loc="center", fontweight="bold")
    figure.savefig(picture)


def _line(axes: Any, xs: list[int], ys: list[float], **style: Any) -> None:
    axes.plot(xs, ys, **{"marker": "o", "linewidth": 2} | style)
    axes.set_xscale("log" if max(xs, default=1) > 12 else "linear", **({"base": 2} if max(xs, default=1) > 12 else {}))
    axes.set_xticks(xs, xs)
    axes.minorticks_off()


def _parts(axes: Any) -> None:
    counts = {block: update_flops(sizes, 256) for block, sizes in BLOCKS.items()} | {"classical": classical_flops(256)}
    left = [0.0] * len(counts)
    for part, color in zip(PARTS, SHADES, strict=True):
        values = [1e-9 * count[part] for count in counts.values()]
        axes.barh(list(counts), values, left=left, color=color, label=part, height=0.6)
        left = [one + other for one, other in zip(left, values, strict=True)]
    axes.invert_yaxis()
    axes.set(xlabel="batch 256, computed", title="one update, GFLOP")
    axes.legend(frameon=False, fontsize="small", loc="lower right")


def _updates(record: dict[str, Any], axes: Any, axis: str) -> None:
    """Draw measured updates, and below them what their arithmetic alone would take."""
    for block, color in COLORS.items():
        found = updates(record, axis, block)
        if found:
            values = [point.value for point, _, _ in found]
            _line(axes, values, [milliseconds for _, _, milliseconds in found], color=color, label=block)
            alone = [1e3 * gflop / machine(record).gflops for _, gflop, _ in found]
            label = f"{block}, arithmetic at {machine(record).gflops:.0f} GFLOP/s"
            _line(axes, values, alone, color=color, label=label, linestyle="--", linewidth=1.2, marker="")
    _log(axes)


def _circuits(record: dict[str, Any], axes: Any) -> None:
    for rows, color in zip(sorted({entry["rows"] for entry in record["circuit"]}), SHADES, strict=False):
        found = circuit(record, rows)
        _line(axes, list(found), list(found.values()), color=color, label=f"{rows} row{'s' * (rows > 1)}")
    axes.set(xlabel="qubits", title="circuit and shots, µs per row")
    _log(axes)


def _log(axes: Any) -> None:
    """Let the vertical axis double from tick to tick, with plain numbers."""
    axes.set_yscale("log", base=2)
    axes.yaxis.set_major_formatter("{x:g}")
