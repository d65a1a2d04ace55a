"""What all drawings share: where gates stand and what is written on them."""

from qtrl.quantum.circuit import Circuit, Gate

CONTROL, CROSS = "●", "x"


def columns_of(circuit: Circuit) -> list[list[Gate]]:
    """Pack the gates into columns, each as far to the left as all qubits between its first and its last are free."""
    columns: list[list[Gate]] = []
    used = [0] * circuit.n_qubits
    for gate in circuit.gates:
        first, last = span(gate)
        column = max(used[first : last + 1])
        if column == len(columns):
            columns.append([])
        columns[column].append(gate)
        used[first : last + 1] = [column + 1] * (last + 1 - first)
    return columns


def span(gate: Gate) -> tuple[int, int]:
    """Return the first and the last qubit, from the top."""
    return min(gate.qubits), max(gate.qubits)


def symbols(gate: Gate) -> tuple[str, ...]:
    """Return what stands on each of the gate's qubits: `CONTROL`, `CROSS`, or a name without its angles."""
    if gate.name == "swap":
        return CROSS, CROSS
    name = gate.name.removesuffix("dg").upper() + ("†" if gate.name.endswith("dg") else "")
    if gate.name.startswith("c"):
        return CONTROL, name[1:]
    return (name,) * len(gate.qubits)


def angle_labels(gate: Gate, circuit: Circuit) -> list[str]:
    """Write each angle: `θ` and its place for an angle of the runs, the number for a constant."""
    values = circuit.constants
    n_angles = circuit.n_angles
    return [f"θ{place}" if place < n_angles else f"{values[place - n_angles]:.3g}" for place in gate.angles]
