"""A circuit as Qiskit's `QuantumCircuit`."""

from typing import TYPE_CHECKING

from qtrl.quantum.checks import import_package
from qtrl.quantum.circuit import Circuit

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


def to_qiskit(circuit: Circuit) -> "QuantumCircuit":
    """Write a circuit as a `QuantumCircuit`.

    Angles become the elements of one `ParameterVector`, constants become numbers. Unused angles enter the global phase,
    which no measurement shows, so that `assign_parameters` takes a row of P angles whatever the circuit. A base point
    stands in the metadata, under `base`.

    Raises:
        EngineError: If Qiskit is not installed.
    """
    qiskit = import_package("qiskit", "to_qiskit", "qiskit")
    angles = qiskit.circuit.ParameterVector("θ", circuit.n_angles)
    values = (*angles, *circuit.constants)
    converted = qiskit.QuantumCircuit(circuit.n_qubits, global_phase=sum(angles[place] for place in circuit.unused))
    converted.metadata = {"base": list(circuit.base)} if circuit.base else {}
    for gate in circuit.gates:
        method = "u" if gate.name == "u3" else gate.name
        getattr(converted, method)(*(values[place] for place in gate.angles), *gate.qubits)
    return converted
