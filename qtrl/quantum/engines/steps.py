"""Every gate as a product of three kinds of steps, up to a global phase: linear maps of bits, RY, phases of parities.

Bit b of a basis index belongs to qubit n - 1 - b. A *map* sends basis state x to A x over GF(2): all that CX and SWAP
do. A *turn* is an RY on one bit. A *phase* on a mask w multiplies basis state x by exp(-i angle/2 (-1)^(w·x)), so RZ
is a phase on one bit and RZZ one on two. Engines that know the three know all gates.

The angle of a step is affine in the circuit's angles.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import pi
from types import MappingProxyType
from typing import NamedTuple

from qtrl.quantum.circuit import Gate


@dataclass(frozen=True)
class Affine:
    """An angle `offset + sum(factor * angles[place])`, its terms being (place, factor)."""

    offset: float = 0.0
    terms: tuple[tuple[int, float], ...] = ()

    def __add__(self, other: "Affine") -> "Affine":
        return Affine(self.offset + other.offset, self.terms + other.terms)

    def __neg__(self) -> "Affine":
        return self * -1.0

    def __mul__(self, factor: float) -> "Affine":
        return Affine(self.offset * factor, tuple((place, value * factor) for place, value in self.terms))


class Turn(NamedTuple):
    """An RY on one bit."""

    bit: int
    angle: Affine


class Phase(NamedTuple):
    """A phase on the parity of the bits in a mask."""

    mask: int
    angle: Affine


class Flip(NamedTuple):
    """A CX on bits."""

    control: int
    target: int


Step = Turn | Phase | Flip
_QUARTER, _HALF = Affine(pi / 2), Affine(pi)


def _phase(angle: Affine, *bits: int) -> Phase:
    return Phase(sum(1 << bit for bit in bits), angle)


def _rz(angle: float) -> Callable[[int], list[Step]]:
    return lambda b: [_phase(Affine(angle), b)]


def _crz(c: int, t: int, angle: Affine) -> list[Step]:
    return [_phase(angle * 0.5, t), _phase(angle * -0.5, c, t)]


def _crx(c: int, t: int, angle: Affine) -> list[Step]:
    return [Turn(t, -_QUARTER), *_crz(c, t, angle), Turn(t, _QUARTER)]


def _rxx(a: int, b: int, angle: Affine) -> list[Step]:
    return [Turn(a, -_QUARTER), Turn(b, -_QUARTER), _phase(angle, a, b), Turn(a, _QUARTER), Turn(b, _QUARTER)]


def _x_to_y(bits: tuple[int, ...], steps: list[Step]) -> list[Step]:
    """Turn the X axis of some bits into the Y axis for the steps."""
    return [*(_phase(-_QUARTER, b) for b in bits), *steps, *(_phase(_QUARTER, b) for b in bits)]


LOWERED: Mapping[str, Callable[..., list[Step]]] = MappingProxyType(
    {
        "rx": lambda b, angle: [_phase(_QUARTER, b), Turn(b, angle), _phase(-_QUARTER, b)],
        "ry": lambda b, angle: [Turn(b, angle)],
        "rz": lambda b, angle: [_phase(angle, b)],
        "p": lambda b, angle: [_phase(angle, b)],
        "u3": lambda b, theta, phi, lam: [_phase(lam, b), Turn(b, theta), _phase(phi, b)],
        "h": lambda b: [_phase(_HALF, b), Turn(b, _QUARTER)],
        "x": lambda b: [_phase(_HALF, b), Turn(b, _HALF)],
        "y": lambda b: [Turn(b, _HALF)],
        "z": _rz(pi),
        "s": _rz(pi / 2),
        "sdg": _rz(-pi / 2),
        "t": _rz(pi / 4),
        "tdg": _rz(-pi / 4),
        "cx": lambda c, t: [Flip(c, t)],
        "cy": lambda c, t: _x_to_y((t,), [Flip(c, t)]),
        "cz": lambda a, b: [_phase(_QUARTER, a), _phase(_QUARTER, b), _phase(-_QUARTER, a, b)],
        "swap": lambda a, b: [Flip(a, b), Flip(b, a), Flip(a, b)],
        "crx": _crx,
        "cry": lambda c, t, angle: _x_to_y((t,), _crx(c, t, angle)),
        "crz": _crz,
        "rxx": _rxx,
        "ryy": lambda a, b, angle: _x_to_y((a, b), _rxx(a, b, angle)),
        "rzz": lambda a, b, angle: [_phase(angle, a, b)],
    }
)
"""Gate to steps, given its bits (the control first) and its angles."""


def steps_of(gate: Gate, n_qubits: int) -> list[Step]:
    """Return the steps of a gate in a circuit."""
    bits = (n_qubits - 1 - qubit for qubit in gate.qubits)
    return LOWERED[gate.name](*bits, *(Affine(0.0, ((place, 1.0),)) for place in gate.angles))
