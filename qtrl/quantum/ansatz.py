"""Circuit families: functions from a few sizes to a circuit."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from types import MappingProxyType
from typing import Any

import torch

from qtrl.errors import CircuitError
from qtrl.quantum.circuit import Circuit, Gate, places_of
from qtrl.quantum.gates import GATES
from qtrl.seeding import seed_for

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
        "none": lambda n, rep: [],
    }
)
"""Name of an entanglement to the (control, target) pairs of its CX gates, given the qubits and the repetition."""


Base = str | Sequence[float]
"""What the `base` of a family may be: `zero`, `plus`, or one number for each angle."""


def efficient_su2(
    n_qubits: int,
    reps: int,
    rotations: Sequence[str] = ("ry", "rz"),
    entanglement: str = "linear",
    *,
    base: Base = "zero",
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
        base: The point around which a model chooses its angles, in radians: `zero`; `plus`, where the first column of
            `ry` has pi/2 and the rest 0, so that the circuit is in |+...+>, where CX does nothing and every
            probability answers an angle to first order; or one number for each angle.

    Raises:
        CircuitError: If a size is out of range, a rotation, the entanglement or the base is unknown, or there is no
            `ry` for `plus`.

    Source: the name and the shape are Qiskit's; hardware-efficient circuits were proposed in arXiv:1704.05018.
    """
    return _layers("efficient_su2", n_qubits, reps, rotations, entanglement, base=base, reupload=False)


def data_reuploading(
    n_qubits: int,
    reps: int,
    rotations: Sequence[str] = ("ry", "rz"),
    entanglement: str = "linear",
    *,
    base: Base = "zero",
) -> Circuit:
    """Build a circuit that takes the same data angles again before each of its layers.

    It is `efficient_su2` with its first columns of rotations, the upload of the data, repeated before each column of CX
    gates: upload, CX, rotations; upload, CX, rotations; and so on. There are as many angles as in `efficient_su2`:
    first the `n_qubits * len(rotations)` data angles, which all uploads share, then those of the rotations of each
    layer. As a function of one data angle, expectations are Fourier series up to the frequency `reps`.

    Args and Raises: see `efficient_su2`; at least 1 repetition, which is a layer here.

    Source: re-uploading, with own angles beside the data in each layer: arXiv:1907.02085.
    """
    return _layers("data_reuploading", n_qubits, reps, rotations, entanglement, base=base, reupload=True)


def fix_angles(circuit: Circuit, seed: int) -> Circuit:
    """Replace the angles of a circuit by random constants, so that it ignores its inputs.

    The result takes as many angles as `circuit` does, so that a model around it keeps its sizes. It serves as a
    control: a model learns nothing through such a circuit.

    Args:
        circuit: Its gates are kept, and so are its constants and which gates share an angle.
        seed: Decides the angles, drawn uniformly from [-pi, pi).
    """
    generator = torch.Generator().manual_seed(seed_for(seed, "frozen angles"))  # another name would draw other angles
    drawn = torch.rand(circuit.n_angles, generator=generator, dtype=torch.float64) * (2 * math.pi) - math.pi
    values = (*drawn.tolist(), *circuit.constants)
    read = sorted(places_of(circuit.gates))
    moved = {place: circuit.n_angles + position for position, place in enumerate(read)}
    gates = tuple(Gate(gate.name, gate.qubits, tuple(moved[place] for place in gate.angles)) for gate in circuit.gates)
    constants = tuple(values[place] for place in read)
    return Circuit(circuit.n_qubits, gates, constants, tuple(range(circuit.n_angles)), circuit.base)


def fixed_angles(family: Callable[..., Circuit], *, seed: int, **sizes: Any) -> Circuit:
    """Make a circuit of a family such as `efficient_su2`, and apply `fix_angles` to it: one call for configs."""
    return fix_angles(family(**sizes), seed)


def _layers(
    family: str,
    n_qubits: int,
    reps: int,
    rotations: Sequence[str],
    entanglement: str,
    *,
    base: Base,
    reupload: bool,
) -> Circuit:
    known = [name for name, gate in GATES.items() if (gate.n_qubits, gate.n_angles) == (1, 1)]
    if n_qubits < 1:
        raise CircuitError(f"{family} needs at least 1 qubit, got n_qubits={n_qubits}")
    if reps < reupload:
        raise CircuitError(f"{family} needs {int(reupload)} or more repetitions, got reps={reps}")
    if entanglement not in ENTANGLEMENTS:
        raise CircuitError(f"unknown entanglement {entanglement!r}, expected one of {', '.join(ENTANGLEMENTS)}")
    unknown = [name for name in rotations if name not in known]
    if unknown or not rotations:
        got = repr(unknown[0]) if unknown else "none"
        raise CircuitError(f"unknown rotation {got}, expected one or more of {', '.join(known)}")
    places, columns = count(), [(name, qubit) for name in rotations for qubit in range(n_qubits)]
    upload = [Gate(name, (qubit,), (next(places),)) for name, qubit in columns]
    gates = list(upload)
    for rep in range(reps):
        gates += upload if rep and reupload else []
        gates += [Gate("cx", pair) for pair in ENTANGLEMENTS[entanglement](n_qubits, rep)]
        gates += [Gate(name, (qubit,), (next(places),)) for name, qubit in columns]
    return Circuit(n_qubits, tuple(gates), base=_base_angles(family, base, upload, n_angles=next(places)))


def _base_angles(family: str, base: Base, first_columns: Sequence[Gate], n_angles: int) -> tuple[float, ...]:
    """Return the base point as numbers; none where it is 0."""
    if base == "zero":
        return ()
    if base == "plus":
        raised = {gate.angles[0] for gate in first_columns if gate.name == "ry"}
        if not raised:
            raise CircuitError(f"{family}: base=plus needs ry among the rotations; expected zero or {n_angles} numbers")
        return tuple(math.pi / 2 if place in raised else 0.0 for place in range(n_angles))
    if isinstance(base, str):
        raise CircuitError(f"{family}: unknown base {base!r}, expected plus, zero or {n_angles} numbers")
    return tuple(float(number) for number in base)
