"""Qiskit's `QuantumCircuit` as a circuit: its qubits by the numbers that they had before `transpile`, its gates."""

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtrl.errors import CircuitError
from qtrl.quantum.circuit import Circuit, Gate, places_of
from qtrl.quantum.conversion.angle_sums import AngleSum, read_angle, rotations
from qtrl.quantum.gates import GATES

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit import CircuitInstruction

NAMES = {"u": "u3", "u1": "p"}
"""Qiskit's other names for gates of the table."""
WITHOUT_EFFECT = frozenset({"barrier", "delay", "id", "global_phase"})
REWRITTEN = {"sx": ("rx", math.pi / 2), "sxdg": ("rx", -math.pi / 2)}
"""Gates of one qubit that are rotations but for a global phase; Qiskit defines them by three gates."""
REWRITE = "qiskit.transpile(circuit, basis_gates=['u', 'cx'])"


def from_qiskit(circuit: "QuantumCircuit") -> Circuit:
    """Read a `QuantumCircuit`; gates that the gate table lacks are read as Qiskit defines them.

    Its parameters become the angles, in the order of `circuit.parameters`; those that no gate reads are unused angles.
    A warning tells where names are in another order there than in the circuit. Numbers become constants, equal ones
    sharing a place. Sums of parameters and numbers, as `transpile` writes them, become several gates. What has no
    effect on probabilities is left out: barriers, delays, resets before all else, measurements at the end (circuits end
    by reading every qubit). A base point is read where `to_qiskit` writes it.

    Qubits that `transpile` moved get back their numbers. Those that it added are left out if no gate acts on them, and
    come last otherwise.

    Raises:
        CircuitError: If there is an instruction that is not unitary, a gate behind a measurement of its qubit, or an
            angle that is no sum of numbers and whole multiples of parameters.
    """
    numbers = _numbers(circuit)
    reading = _Reading(places={parameter: place for place, parameter in enumerate(circuit.parameters)})
    for position, instruction in enumerate(circuit.data):
        qubits = tuple(numbers[qubit] for qubit in instruction.qubits if qubit in numbers)
        if len(qubits) == len(instruction.qubits):
            label = f"gate {position} ({instruction.operation.name} on qubits {qubits})"
            reading.take(instruction, qubits, label, laid_out=bool(circuit.layout))
    reading.warn_of_order()
    read = reading.circuit(len(numbers))
    return replace(read, base=tuple((circuit.metadata or {}).get("base", ())))


def _numbers(circuit: "QuantumCircuit") -> dict[Any, int]:
    """Number the qubits: those that `transpile` moved as before, behind them those that it added and that gates use."""
    if not circuit.layout:
        return {qubit: number for number, qubit in enumerate(circuit.qubits)}
    own = [circuit.qubits[index] for index in circuit.layout.final_index_layout()]
    acts = (one for one in circuit.data if one.operation.name not in WITHOUT_EFFECT | {"reset", "measure"})
    used = {qubit for one in acts for qubit in one.qubits}
    added = [qubit for qubit in circuit.qubits if qubit in used and qubit not in own]
    return {qubit: number for number, qubit in enumerate([*own, *added])}


class _Reading:
    """The gates read so far, and the place of every parameter and number among the angles."""

    def __init__(self, places: dict[Any, int]) -> None:
        self._places, self._parameters = places, list(places)
        self._met: dict[Any, None] = {}
        self._gates: list[Gate] = []
        self._measured: set[int] = set()
        self._acted_on: set[int] = set()

    def take(self, instruction: "CircuitInstruction", qubits: tuple[int, ...], label: str, *, laid_out: bool) -> None:
        """Read an instruction, or raise a CircuitError."""
        name = instruction.operation.name
        if name == "measure":
            self._measured.update(qubits)
        elif name == "reset":
            if not self._acted_on.isdisjoint(qubits) or not self._measured.isdisjoint(qubits):
                raise CircuitError(f"{label} comes behind gates or a measurement of its qubit, expected it before them")
        elif name not in WITHOUT_EFFECT:
            self._check_unmeasured(qubits, label)
            self._unitary(instruction, qubits, label, laid_out)

    def _check_unmeasured(self, qubits: tuple[int, ...], label: str) -> None:
        if not self._measured.isdisjoint(qubits):
            expected = "expected measurements at the end: leave them out, also before qiskit.transpile"
            raise CircuitError(f"{label} acts on a qubit that was measured before, {expected}")

    def _unitary(self, instruction: "CircuitInstruction", qubits: tuple[int, ...], label: str, laid_out: bool) -> None:
        name = instruction.operation.name
        if instruction.is_standard_gate():  # others read what those in their definition do
            for value in instruction.params:
                self._met.update(dict.fromkeys(sorted(getattr(value, "parameters", ()), key=self._places.__getitem__)))
        if instruction.is_standard_gate() and name in REWRITTEN:
            rotation, angle = REWRITTEN[name]
            self._add(rotation, qubits, [AngleSum((), angle)])
        elif instruction.is_standard_gate() and NAMES.get(name, name) in GATES:
            self._add(NAMES.get(name, name), qubits, [read_angle(value, label) for value in instruction.params])
        elif (definition := _definition(instruction)) is None:
            advice = f"{REWRITE} rewrites unitary gates"
            if laid_out:
                advice = (
                    f"{advice}; take the circuit from before it was transpiled, since doing so twice loses its qubits"
                )
            raise CircuitError(f"{label} cannot be converted, it is no gate or has no definition: {advice}")
        else:
            for inner in definition.data:
                inner_qubits = tuple(qubits[definition.find_bit(qubit).index] for qubit in inner.qubits)
                self.take(inner, inner_qubits, label, laid_out=laid_out)

    def _add(self, name: str, qubits: tuple[int, ...], angles: Sequence[AngleSum]) -> None:
        self._acted_on.update(qubits)
        for factor, on, values in rotations(name, qubits, angles):
            self._gates.append(Gate(factor, on, tuple(self._place(value) for value in values)))

    def _place(self, value: Any) -> int:
        """Return the place of a parameter, or of a number, which gets the next one if it is new."""
        return self._places.setdefault(value, len(self._places))

    def warn_of_order(self) -> None:
        """Warn where the names of parameters are in another order than the circuit first reads them."""
        met, by_name = (_names(order) for order in (self._met, sorted(self._met, key=self._places.__getitem__)))
        if met != by_name:
            first = next(number for number, (one, other) in enumerate(zip(met, by_name, strict=True)) if one != other)
            warnings.warn(
                f"Qiskit sorts parameters by name, and the angles with them: {by_name[first]!r} comes before "
                f"{met[first]!r}, which the circuit reads first; give angles in the order of circuit.parameters, or "
                "take one ParameterVector",
                stacklevel=3,
            )

    def circuit(self, n_qubits: int) -> Circuit:
        """Return what was read."""
        n_angles = len(self._parameters)
        unused = sorted(set(range(n_angles)) - places_of(self._gates))
        return Circuit(n_qubits, tuple(self._gates), tuple(list(self._places)[n_angles:]), tuple(unused))


def _definition(instruction: "CircuitInstruction") -> Any:
    """Return what an instruction consists of, as Qiskit has it; None where it has nothing."""
    from qiskit import QuantumCircuit

    found = QuantumCircuit.unitary
    if not found.__module__.startswith("qiskit."):  # importing TorchQuantum puts one there whose gates have no inverse
        QuantumCircuit.unitary = _unitary
    try:
        return getattr(instruction.operation, "definition", None)
    finally:
        QuantumCircuit.unitary = found


def _unitary(circuit: "QuantumCircuit", matrix: Any, qubits: Any, label: str | None = None) -> Any:
    """Stand in for the method of Qiskit's circuits."""
    from qiskit.circuit.library import UnitaryGate

    gate = UnitaryGate(matrix, label=label)
    return circuit.append(gate, qubits if isinstance(qubits, Iterable) else [qubits])


def _names(parameters: Iterable[Any]) -> list[str]:
    """Return names in order, each once; elements of a vector have its name."""
    return list(dict.fromkeys(getattr(one, "vector", one).name for one in parameters))
