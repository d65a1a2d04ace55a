"""Circuits as pictures.

Lengths are in units of the distance between two qubits; y grows downwards.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtrl.quantum.circuit import Circuit, Gate
from qtrl.quantum.drawing.layout import CONTROL, CROSS, angle_labels, columns_of, span, symbols

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 25
_INCHES = 0.5
_BOX = 0.72
_CHARACTER = 0.15
_INK, _OPEN, _FIXED = "0.15", "#d6e6f5", "0.93"
"""Lines and letters; boxes of gates whose angles are open; boxes of all others."""


def draw_picture(circuit: Circuit, fold: int | None = None) -> "Figure":
    """Draw a figure, in rows of at most `fold` columns of gates."""
    from matplotlib.figure import Figure

    columns, fold = columns_of(circuit), fold or _COLUMNS
    rows = [columns[start : start + fold] for start in range(0, len(columns), fold)] or [[]]
    widths = [[_column_width(gates, circuit) for gates in row] for row in rows]
    pitch = circuit.n_qubits + 1  # one empty line between two rows
    length, height = max(map(sum, widths)) + 1.5, len(rows) * pitch
    figure = Figure(figsize=(length * _INCHES, height * _INCHES))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-1, length - 1), ylim=(height - 1, -1))
    axes.axis("off")
    for number, (row, row_widths) in enumerate(zip(rows, widths, strict=True)):
        _draw_row(axes, circuit, row, row_widths, top=number * pitch)
    return figure


def _column_width(gates: Sequence[Gate], circuit: Circuit) -> float:
    longest = max(len(",".join(angle_labels(gate, circuit))) for gate in gates)
    return max(_BOX, longest * _CHARACTER) + 0.24


def _draw_row(
    axes: "Axes", circuit: Circuit, columns: Sequence[Sequence[Gate]], widths: Sequence[float], top: int
) -> None:
    end = sum(widths) + 0.2
    for qubit in range(circuit.n_qubits):
        axes.plot([-0.2, end], [top + qubit] * 2, color=_INK, linewidth=0.8, zorder=1)
        axes.text(-0.3, top + qubit, f"q{qubit}", ha="right", va="center", fontsize=8, color=_INK)
    left = 0.0
    for gates, width in zip(columns, widths, strict=True):
        for gate in gates:
            _draw_gate(axes, gate, circuit, (left + width / 2, top), width - 0.24)
        left += width


def _draw_gate(axes: "Axes", gate: Gate, circuit: Circuit, origin: tuple[float, int], width: float) -> None:
    x, top = origin
    first, last = span(gate)
    axes.plot([x, x], [top + first, top + last], color=_INK, linewidth=1.2, zorder=2)
    labels = angle_labels(gate, circuit)
    fill = _OPEN if any(place < circuit.n_angles for place in gate.angles) else _FIXED
    for qubit, symbol in zip(gate.qubits, symbols(gate), strict=True):
        if symbol == CONTROL:
            _mark(axes, x, top + qubit, "o", 5)
        elif symbol == CROSS:
            _mark(axes, x, top + qubit, "x", 6)
        elif gate.name == "cx":
            axes.plot([x], [top + qubit], "o", markersize=11, mfc="white", mec=_INK, mew=1.2, zorder=3)
            _mark(axes, x, top + qubit, "+", 11)
        else:
            _box(axes, (x, top + qubit), width, [symbol, ",".join(labels)] if labels else [symbol], fill)


def _mark(axes: "Axes", x: float, y: float, marker: str, points: float) -> None:
    axes.plot([x], [y], marker, markersize=points, color=_INK, markeredgewidth=1.2, zorder=4)


def _box(axes: "Axes", center: tuple[float, float], width: float, lines: Sequence[str], fill: str) -> None:
    from matplotlib.patches import Rectangle

    x, y = center
    corner = (x - width / 2, y - _BOX / 2)
    axes.add_patch(Rectangle(corner, width, _BOX, facecolor=fill, edgecolor=_INK, linewidth=0.8, zorder=3))
    offsets = (0,) if len(lines) == 1 else (-0.15, 0.17)
    for line, offset, size in zip(lines, offsets, (8, 6.5), strict=False):
        axes.text(x, y + offset, line, ha="center", va="center", fontsize=size, color="black", zorder=4)
