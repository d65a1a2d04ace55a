"""Circuits as text: one line for each qubit."""

from collections.abc import Iterator, Sequence

from qtrl.quantum.circuit import Circuit, Gate
from qtrl.quantum.drawing.layout import CONTROL, angle_labels, columns_of, span, symbols

_WIDTH = 100


def draw_text(circuit: Circuit, fold: int | None = None) -> str:
    """Draw with box-drawing characters, in blocks of lines of at most `fold` characters."""
    labels = [f"q{qubit}: " for qubit in range(circuit.n_qubits)]
    margin = max(map(len, labels))
    columns = [_column(gates, circuit) for gates in columns_of(circuit)]
    blocks = []
    for block in _blocks(columns, (fold or _WIDTH) - margin - 1):
        lines = [label.ljust(margin) + "─" for label in labels]
        for column in block:
            lines = [line + cell for line, cell in zip(lines, column, strict=True)]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _column(gates: Sequence[Gate], circuit: Circuit) -> list[str]:
    """Write the cells of one column, top down and equally long; the first character holds the vertical lines."""
    cells = ["─"] * circuit.n_qubits
    for gate in gates:
        first, last = span(gate)
        cells[first + 1 : last] = ["│"] * (last - first - 1)
        angles = f"({','.join(angle_labels(gate, circuit))})" if gate.angles else ""
        for qubit, symbol in zip(gate.qubits, symbols(gate), strict=True):
            edge = "─" if first == last else "╭" if qubit == first else "╰"
            cells[qubit] = edge + symbol + ("" if symbol == CONTROL else angles)
    width = max(map(len, cells)) + 1
    return [cell.ljust(width, "─") for cell in cells]


def _blocks(columns: Sequence[list[str]], width: int) -> Iterator[list[list[str]]]:
    """Cut the columns into blocks that are at most `width` wide, of at least one column."""
    block: list[list[str]] = []
    taken = 0
    for column in columns:
        if block and taken + len(column[0]) > width:
            yield block
            block, taken = [], 0
        block.append(column)
        taken += len(column[0])
    yield block
