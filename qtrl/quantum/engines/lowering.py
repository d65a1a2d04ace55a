"""Brings every circuit to three kinds of steps: linear maps of the bits, columns of RY, and phases of parities.

Bit b of a basis index belongs to qubit n - 1 - b. A *map* sends basis state x to A x over GF(2): all that CX and SWAP
do. A *turn* is an RY on one bit. A *phase* on a mask w multiplies basis state x by exp(-i angle/2 (-1)^(w·x)), so RZ
is a phase on one bit and RZZ one on two. Every gate of the table is a product of these up to a global phase, so
engines that know the three know all gates.

The angle of a step is affine in the circuit's angles.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import pi
from types import MappingProxyType

from qtrl.quantum.circuit import Circuit

Matrix = tuple[int, ...]
"""A square matrix over GF(2): entry b is the image of bit b, as a mask."""


@dataclass(frozen=True)
class Affine:
    """An angle `offset + sum(factor * angles[place])`, its terms being (place, factor)."""

    offset: float = 0.0
    terms: tuple[tuple[int, float], ...] = ()

    def __add__(self, other: "Affine") -> "Affine":
        return Affine(self.offset + other.offset, self.terms + other.terms)

    def __mul__(self, factor: float) -> "Affine":
        return Affine(self.offset * factor, tuple((place, value * factor) for place, value in self.terms))


@dataclass(frozen=True)
class Turn:
    """An RY on one bit."""

    bit: int
    angle: Affine


@dataclass(frozen=True)
class Phase:
    """A phase on the parity of the bits in a mask."""

    mask: int
    angle: Affine


@dataclass(frozen=True)
class Flip:
    """A CX on bits."""

    control: int
    target: int


Step = Turn | Phase | Flip


@dataclass
class Layer:
    """A map, then turns, then phases; each part may be empty.

    Attributes:
        flips: What the map is made of, in order.
        turns: Angle of each turned bit.
        phases: Angle of each mask.
    """

    flips: list[Flip] = field(default_factory=list)
    turns: dict[int, Affine] = field(default_factory=dict)
    phases: dict[int, Affine] = field(default_factory=dict)

    def matrix(self, n_bits: int) -> Matrix:
        """Return the map as a matrix."""
        columns = [1 << bit for bit in range(n_bits)]
        for flip in self.flips:
            columns = [column ^ ((column >> flip.control & 1) << flip.target) for column in columns]
        return tuple(columns)


def lower(circuit: Circuit) -> list[Layer]:
    """Turn a circuit into few layers that give the same probabilities.

    Steps slide towards the beginning past steps that they commute with, so that those of a kind meet. What acts on
    |0...0> as a phase, and phases at the end, are dropped; so the first layer turns, and only the last may map alone.
    """
    layers: list[Layer] = []
    for gate in circuit.gates:
        bits = tuple(circuit.n_qubits - 1 - qubit for qubit in gate.qubits)
        angles = tuple(Affine(0.0, ((place, 1.0),)) for place in gate.angles)
        for step in LOWERED[gate.name](*bits, *angles):
            _slide(layers, step)
    while layers and not layers[0].turns:
        del layers[0]
    if layers:
        layers[0].flips.clear()
        for layer in reversed(layers):  # no turn makes these phases visible
            layer.phases.clear()
            if layer.turns:
                break
    return layers


def _slide(layers: list[Layer], step: Step) -> None:
    """Join a step to the earliest layer that it can slide to, or make a new last one."""
    found: tuple[Layer, Step] | None = None
    moved: Step | None = step
    for layer in reversed(layers):
        assert moved is not None
        if isinstance(moved, Phase):
            found = layer, moved
        elif not _passes_phases(moved, layer.phases):
            break
        if isinstance(moved, Turn):
            found = layer, moved
        elif not _passes_turns(moved, layer.turns):
            break
        if isinstance(moved, Flip):
            found = layer, moved
        moved = _before_flips(moved, layer.flips)
        if moved is None:
            break
    if found is None:
        layers.append(Layer())
        found = layers[-1], step
    _join(*found)


def _passes_phases(step: Step, phases: dict[int, Affine]) -> bool:
    bit = step.bit if isinstance(step, Turn) else step.target if isinstance(step, Flip) else None
    return bit is None or not any(mask >> bit & 1 for mask in phases)


def _passes_turns(step: Step, turns: dict[int, Affine]) -> bool:
    if isinstance(step, Phase):
        return not any(step.mask >> bit & 1 for bit in turns)
    return isinstance(step, Turn) or not {step.control, step.target} & set(turns)


def _before_flips(step: Step, flips: list[Flip]) -> Step | None:
    """Return what has the same effect in front of the flips; None where there is none or it is a longer parity."""
    if isinstance(step, Phase):
        mask = step.mask
        for flip in reversed(flips):
            mask ^= (mask >> flip.target & 1) << flip.control
        return Phase(mask, step.angle) if mask.bit_count() <= step.mask.bit_count() else None
    bits = {step.bit} if isinstance(step, Turn) else {step.control, step.target}
    touched = {bit for flip in flips for bit in (flip.control, flip.target)}
    return None if bits & touched else step


def _join(layer: Layer, step: Step) -> None:
    if isinstance(step, Flip):
        layer.flips.append(step)
    elif isinstance(step, Turn):
        layer.turns[step.bit] = layer.turns.get(step.bit, Affine()) + step.angle
    else:
        layer.phases[step.mask] = layer.phases.get(step.mask, Affine()) + step.angle


def _turn(bit: int, angle: Affine | float) -> Turn:
    return Turn(bit, angle if isinstance(angle, Affine) else Affine(angle))


def _phase(bits: tuple[int, ...], angle: Affine | float) -> Phase:
    return Phase(sum(1 << bit for bit in bits), angle if isinstance(angle, Affine) else Affine(angle))


def _rz(b: int, angle: Affine | float) -> list[Step]:
    return [_phase((b,), angle)]


def _rx(b: int, angle: Affine) -> list[Step]:
    return [_phase((b,), pi / 2), _turn(b, angle), _phase((b,), -pi / 2)]


def _swap(a: int, b: int) -> list[Step]:
    return [Flip(a, b), Flip(b, a), Flip(a, b)]


def _cz(a: int, b: int) -> list[Step]:
    return [_phase((a,), pi / 2), _phase((b,), pi / 2), _phase((a, b), -pi / 2)]


def _crz(c: int, t: int, angle: Affine) -> list[Step]:
    return [_phase((t,), angle * 0.5), _phase((c, t), angle * -0.5)]


def _crx(c: int, t: int, angle: Affine) -> list[Step]:
    return [_turn(t, -pi / 2), *_crz(c, t, angle), _turn(t, pi / 2)]


def _rxx(a: int, b: int, angle: Affine) -> list[Step]:
    into, out = ([_turn(bit, sign * pi / 2) for bit in (a, b)] for sign in (-1, 1))
    return [*into, _phase((a, b), angle), *out]


def _x_to_y(bits: tuple[int, ...], steps: list[Step]) -> list[Step]:
    """Turn the X axis of some bits into the Y axis for the steps."""
    return [*(_phase((b,), -pi / 2) for b in bits), *steps, *(_phase((b,), pi / 2) for b in bits)]


LOWERED: Mapping[str, Callable[..., list[Step]]] = MappingProxyType(
    {
        "rx": _rx,
        "ry": lambda b, angle: [_turn(b, angle)],
        "rz": _rz,
        "p": _rz,
        "u3": lambda b, theta, phi, lam: [_phase((b,), lam), _turn(b, theta), _phase((b,), phi)],
        "h": lambda b: [_phase((b,), pi), _turn(b, pi / 2)],
        "x": lambda b: [_phase((b,), pi), _turn(b, pi)],
        "y": lambda b: [_turn(b, pi)],
        "z": lambda b: _rz(b, pi),
        "s": lambda b: _rz(b, pi / 2),
        "sdg": lambda b: _rz(b, -pi / 2),
        "t": lambda b: _rz(b, pi / 4),
        "tdg": lambda b: _rz(b, -pi / 4),
        "cx": lambda c, t: [Flip(c, t)],
        "cy": lambda c, t: _x_to_y((t,), [Flip(c, t)]),
        "cz": _cz,
        "swap": _swap,
        "crx": _crx,
        "cry": lambda c, t, angle: _x_to_y((t,), _crx(c, t, angle)),
        "crz": _crz,
        "rxx": _rxx,
        "ryy": lambda a, b, angle: _x_to_y((a, b), _rxx(a, b, angle)),
        "rzz": lambda a, b, angle: [_phase((a, b), angle)],
    }
)
"""Gate to steps, given its bits (the control first) and its angles."""
