"""Rewrite a circuit so that no two gates share an angle, as the parameter-shift rule needs it."""

from qtrl.quantum.circuit import Circuit, Gate


def unshare(circuit: Circuit) -> tuple[Circuit, tuple[int, ...]]:
    """Give every occurrence of an angle a place of its own; constants stay shared.

    Returns:
        The circuit with P' >= P angles, of which the first P are where they were, and for each of the P' the angle
        that it takes its value from. A circuit that shares no angle comes back equal.
    """
    n_angles = circuit.n_angles
    occurrences = [place for gate in circuit.gates for place in gate.angles if place < n_angles]
    n_more = len(occurrences) - len(set(occurrences))
    sources = list(range(n_angles))
    met: set[int] = set()

    def own(place: int) -> int:
        if place >= n_angles:
            return place + n_more
        if place not in met:
            met.add(place)
            return place
        sources.append(place)
        return len(sources) - 1

    gates = tuple(Gate(gate.name, gate.qubits, tuple(map(own, gate.angles))) for gate in circuit.gates)
    return Circuit(circuit.n_qubits, gates, circuit.constants, circuit.unused), tuple(sources)
