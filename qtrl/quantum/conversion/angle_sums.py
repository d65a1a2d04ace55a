"""Angles that are sums: one gate of Qiskit's at the angle `2*a + b + 0.5` is several gates, each at one term."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from qtrl.errors import CircuitError

LARGEST_MULTIPLE = 100
"""Gates that one term may become."""
ABOUT_Z = frozenset({"rz", "p", "crz", "rzz"})
"""Gates of one angle whose sign X turns on their last qubit; Z turns that of the others."""


@dataclass(frozen=True)
class AngleSum:
    """An angle: each parameter of Qiskit's with its whole multiple, and a number in radians."""

    terms: tuple[tuple[Any, int], ...]
    constant: float

    @property
    def places(self) -> list[Any]:
        """The sum as what gates read, one after the other; a negative multiple gives as many of its parameter."""
        read = [parameter for parameter, multiple in self.terms for _ in range(abs(multiple))]
        return [*read, self.constant] if self.constant or not read else read

    @property
    def plain(self) -> bool:
        """Whether one gate reads it as it is."""
        return len(self.places) == 1 and all(multiple > 0 for _, multiple in self.terms)


def read_angle(value: Any, label: str) -> AngleSum:
    """Read a number or an expression of Qiskit's; `label` names its gate.

    Raises:
        CircuitError: It is no sum of numbers and whole multiples of parameters.
    """
    try:
        parameters = sorted(getattr(value, "parameters", ()), key=lambda parameter: parameter.name)
        multiples = [_whole(value.gradient(parameter)) for parameter in parameters]
        constant = float(value.bind(dict.fromkeys(parameters, 0)) if parameters else value)
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        expected = f"expected a sum of numbers and of whole multiples of parameters, up to {LARGEST_MULTIPLE}"
        raise CircuitError(f"{label} has the angle {value}, {expected}: {_advice(value)}") from error
    terms = zip(parameters, multiples, strict=True)
    return AngleSum(tuple((parameter, multiple) for parameter, multiple in terms if multiple), constant)


def _advice(value: Any) -> str:
    """Say how a circuit with another angle can be written: fractions come with the definitions of controlled gates."""
    try:
        fractions = [float(value.gradient(parameter)) for parameter in value.parameters]
    except (TypeError, ValueError, ArithmeticError, RuntimeError, AttributeError):
        return "let one parameter stand for it"
    multiple = next((n for n in (2, 4, 8) if all((n * fraction).is_integer() for fraction in fractions)), None)
    if multiple is None:
        return "let one parameter stand for it"
    return f"put {multiple} * x in the place of each parameter, circuit.assign_parameters({{p: {multiple} * x, ...}})"


def _whole(gradient: Any) -> int:
    if not isinstance(gradient, int | float) or abs(gradient) > LARGEST_MULTIPLE or abs(gradient % 1) > 0:
        raise ValueError(gradient)
    return int(gradient)


def rotations(
    name: str, qubits: tuple[int, ...], angles: Sequence[AngleSum]
) -> Iterator[tuple[str, tuple[int, ...], list[Any]]]:
    """Yield name, qubits, and a parameter or number for each angle, of the gates that act as one gate at these angles.

    They do so but for a global phase.
    """
    if all(angle.plain for angle in angles):
        yield name, qubits, [angle.places[0] for angle in angles]
    elif name == "u3":
        theta, phi, lam = angles
        for factor, angle in (("p", lam), ("ry", theta), ("p", phi)):
            yield from rotations(factor, qubits, [angle])
    else:
        turn: tuple[str, tuple[int, ...], list[Any]] = ("x" if name in ABOUT_Z else "z", qubits[-1:], [])
        for parameter, multiple in angles[0].terms:
            around = [turn] if multiple < 0 else []
            yield from (*around, *[(name, qubits, [parameter])] * abs(multiple), *around)
        if angles[0].constant:
            yield name, qubits, [angles[0].constant]
