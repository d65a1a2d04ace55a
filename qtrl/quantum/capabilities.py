"""What an engine can do, declared before anything runs."""

from dataclasses import dataclass

from qtrl.quantum.circuit import Circuit


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do.

    Attributes:
        gates: Names of the gates that it runs.
        max_qubits: The largest circuit that it accepts.
        differentiable: Whether autograd reaches the angles through probabilities and expectations.
        double_precision: Whether float64 angles are computed with in double precision.
        devices: Types of torch devices that it computes on.
        exact: Whether it computes exact probabilities and expectations; False for hardware and samplers, which only
            draw bit strings.
    """

    gates: frozenset[str]
    max_qubits: int
    differentiable: bool
    double_precision: bool
    devices: frozenset[str] = frozenset({"cpu", "cuda"})
    exact: bool = True

    def shortfall(self, circuit: Circuit) -> str | None:
        """Say in a few words why `circuit` cannot run, or return None if it can."""
        if circuit.n_qubits > self.max_qubits:
            needed, limit = (byte_size(16 * 2**n) for n in (circuit.n_qubits, self.max_qubits))
            return (
                f"holds at most {self.max_qubits} qubits, the circuit has {circuit.n_qubits}: "
                f"a state of it takes {needed}, the limit is {limit}"
            )
        missing = sorted({gate.name for gate in circuit.gates} - self.gates)
        return f"has no gate {', '.join(missing)}" if missing else None


def byte_size(count: int) -> str:
    """Write a number of bytes for people, such as `16 MiB`; the largest unit is EiB."""
    power = min(6, max(0, count.bit_length() - 1) // 10)
    return f"{count // 1024**power:,} {('B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB')[power]}"
