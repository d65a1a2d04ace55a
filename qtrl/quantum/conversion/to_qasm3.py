"""A circuit as OpenQASM 3."""

from qtrl.quantum.circuit import Circuit

NAMES = {"u3": "U"}
"""What OpenQASM, or its library of gates, calls a gate otherwise."""
DEFINITIONS = {
    "rxx": "gate rxx(a) p, q { h p; h q; cx p, q; rz(a) q; cx p, q; h p; h q; }",
    "ryy": "gate ryy(a) p, q { rx(pi/2) p; rx(pi/2) q; cx p, q; rz(a) q; cx p, q; rx(-pi/2) p; rx(-pi/2) q; }",
    "rzz": "gate rzz(a) p, q { cx p, q; rz(a) q; cx p, q; }",
}
"""Gates that the library does not have."""


def to_qasm3(circuit: Circuit) -> str:
    """Write a circuit as an OpenQASM 3 program that ends by measuring every qubit.

    The P angles are the inputs `q_in_0`, `q_in_1` and so on, in radians, in the order of the angles that engines take;
    unused ones are declared all the same. Constants are numbers that read back as they are. Qubit `k` is `q[k]` and is
    measured into `c[k]`. The base point is a comment, since a model adds it to the angles itself.

    Source: arXiv:2104.14722; the gates are those of its library `stdgates.inc`, but for three that are defined.
    """
    values = [f"q_in_{index}" for index in range(circuit.n_angles)] + [repr(number) for number in circuit.constants]
    used = dict.fromkeys(gate.name for gate in circuit.gates)
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";']
    if circuit.base:
        lines.append(f"// base point of the angles: {', '.join(map(repr, circuit.base))}")
    lines += [DEFINITIONS[name] for name in used if name in DEFINITIONS]
    lines += [f"input float[64] {value};" for value in values[: circuit.n_angles]]
    lines += [f"qubit[{circuit.n_qubits}] q;", f"bit[{circuit.n_qubits}] c;"]
    for gate in circuit.gates:
        angles = f"({', '.join(values[place] for place in gate.angles)})" if gate.angles else ""
        qubits = ", ".join(f"q[{qubit}]" for qubit in gate.qubits)
        lines.append(f"{NAMES.get(gate.name, gate.name)}{angles} {qubits};")
    return "\n".join([*lines, "c = measure q;", ""])
