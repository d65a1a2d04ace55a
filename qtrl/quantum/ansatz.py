"""Families of circuits that are made from a few sizes."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from qtrl.errors import CircuitError
from qtrl.quantum.circuit import Circuit, Gate
from qtrl.quantum.gates import GATES

Pairs = list[tuple[int, int]]


def _linear(n: int) -> Pairs:
    return [(q, q + 1) for q in range(n - 1)]


def _circular(n: int) -> Pairs:
    return [(n - 1, 0), *_linear(n)] if n > 2 else _linear(n)


def _shifted_circular_alternating(n: int, rep: int) -> Pairs:
    """Rotate the circular pairs by one for each repetition, with control and target exchanged in odd ones."""
    pairs = _circular(n)
    shift = len(pairs) - rep % max(len(pairs), 1)
    rotated = pairs[shift:] + pairs[:shift]
    return [(b, a) for a, b in rotated] if rep % 2 else rotated


ENTANGLEMENTS: Mapping[str, Callable[[int, int], Pairs]] = MappingProxyType(
    {
        "linear": lambda n, rep: _linear(n),
        "reverse_linear": lambda n, rep: _linear(n)[::-1],
        "full": lambda n, rep: [(a, b) for a in range(n) for b in range(a + 1, n)],
        "circular": lambda n, rep: _circular(n),
        "pairwise": lambda n, rep: _linear(n)[::2] + _linear(n)[1::2],
        "sca": _shifted_circular_alternating,
    }
)
"""Name of an entanglement to the (control, target) pairs of its CX gates, given the qubits and the repetition."""


def efficient_su2(
    n_qubits: int, reps: int, rotations: Sequence[str] = ("ry", "rz"), entanglement: str = "linear"
) -> Circuit:
    """Build the hardware-efficient SU(2) circuit, gate for gate as `qiskit.circuit.library.efficient_su2` does.

    Columns of rotations, one angle a qubit, alternate with columns of CX gates and come last as well, which makes
    `n_qubits * len(rotations) * (reps + 1)` angles. They are numbered column by column: the first rotation of all
    qubits, then the second of all qubits.

    Args:
        n_qubits: At least 1.
        reps: Number of entangling columns, at least 0.
        rotations: Gates of one qubit and one angle, in the order in which they act.
        entanglement: Key of `ENTANGLEMENTS`; `linear` is 0-1, 1-2, ...

    Raises:
        CircuitError: If a size is out of range, or a rotation or the entanglement is unknown.

    Source:
        The name and the shape are Qiskit's; hardware-efficient circuits were proposed in arXiv:1704.05018.
    """
    _check_sizes(n_qubits, reps, rotations, entanglement)
    gates: list[Gate] = []
    n_angles = 0
    for rep in range(reps + 1):
        for name in rotations:
            gates += [Gate(name, (qubit,), (n_angles + qubit,)) for qubit in range(n_qubits)]
            n_angles += n_qubits
        if rep < reps:
            gates += [Gate("cx", pair) for pair in ENTANGLEMENTS[entanglement](n_qubits, rep)]
    return Circuit(n_qubits, tuple(gates))


def _check_sizes(n_qubits: int, reps: int, rotations: Sequence[str], entanglement: str) -> None:
    known = [name for name, gate in GATES.items() if (gate.n_qubits, gate.n_angles) == (1, 1)]
    if n_qubits < 1:
        raise CircuitError(f"efficient_su2 needs at least 1 qubit, got n_qubits={n_qubits}")
    if reps < 0:
        raise CircuitError(f"efficient_su2 needs 0 or more repetitions, got reps={reps}")
    if entanglement not in ENTANGLEMENTS:
        raise CircuitError(f"unknown entanglement {entanglement!r}, expected one of {', '.join(ENTANGLEMENTS)}")
    unknown = [name for name in rotations if name not in known]
    if unknown or not rotations:
        got = repr(unknown[0]) if unknown else "none"
        raise CircuitError(f"unknown rotation {got}, expected one or more of {', '.join(known)}")
