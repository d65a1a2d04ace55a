"""Our circuits in PennyLane."""

NAMES = {
    "rx": "RX",
    "ry": "RY",
    "rz": "RZ",
    "p": "PhaseShift",
    "u3": "U3",
    "h": "Hadamard",
    "x": "PauliX",
    "y": "PauliY",
    "z": "PauliZ",
    "s": "S",
    "sdg": "S",
    "t": "T",
    "tdg": "T",
    "cx": "CNOT",
    "cy": "CY",
    "cz": "CZ",
    "swap": "SWAP",
    "crx": "CRX",
    "cry": "CRY",
    "crz": "CRZ",
    "rxx": "IsingXX",
    "ryy": "IsingYY",
    "rzz": "IsingZZ",
}
INVERSES = ("sdg", "tdg")


def run(circuit, angles):
    """Apply the gates of a circuit with angles (..., P); PennyLane's wire 0 is the most significant bit as well."""
    import pennylane

    for gate in circuit.gates:
        make = getattr(pennylane, NAMES[gate.name])
        if gate.name in INVERSES:
            make = pennylane.adjoint(make)
        make(*(_angle(circuit, angles, place) for place in gate.angles), wires=gate.qubits)


def _angle(circuit, angles, place):
    return angles[..., place] if place < circuit.n_angles else circuit.constants[place - circuit.n_angles]
