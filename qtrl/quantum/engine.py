"""The contract of engines: an `Engine` prepares a `Circuit` once, the `Executable` runs it on batches of angles.

Shapes: `B` batch, `P` angles of the circuit, `n` qubits, `S` shots.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from qtrl.errors import CircuitError, EngineError
from qtrl.quantum.circuit import Circuit


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do.

    Attributes:
        gates: Names of the gates that it runs.
        max_qubits: The largest circuit that it accepts.
        differentiable: Whether autograd reaches the angles through probabilities and expectations.
        double_precision: Whether float64 angles are computed with in double precision.
    """

    gates: frozenset[str]
    max_qubits: int
    differentiable: bool
    double_precision: bool

    def shortfall(self, circuit: Circuit) -> str | None:
        """Say in a few words why `circuit` cannot run, or return None if it can."""
        if circuit.n_qubits > self.max_qubits:
            return f"holds at most {self.max_qubits} qubits, the circuit has {circuit.n_qubits}"
        missing = {gate.name for gate in circuit.gates} - self.gates
        if missing:
            return f"has no gate {', '.join(sorted(missing))}; it has {', '.join(sorted(self.gates))}"
        return None


def bits_of(indices: Tensor, n_qubits: int) -> Tensor:
    """Spread basis indices (...) over their bits (..., n), qubit 0 being the most significant one."""
    shifts = torch.arange(n_qubits - 1, -1, -1, device=indices.device)
    return (indices.unsqueeze(-1) >> shifts) & 1


class Executable(ABC):
    """A circuit made ready by an engine.

    It holds plain data only: it is no `nn.Module`, keeps nothing of a call, and can be copied, pickled and sent to
    other processes. The device of a computation is that of the angles. Leaves implement `_probabilities`.

    Attributes:
        circuit: What it runs.
        engine: Name of the engine that really runs it.
        capabilities: What that engine can do.
    """

    def __init__(self, circuit: Circuit, engine: "Engine") -> None:
        self.circuit = circuit
        self.engine = engine.name
        self.capabilities = engine.capabilities

    @abstractmethod
    def _probabilities(self, angles: Tensor) -> Tensor:
        """Map checked angles (B, P), B at least 1, to probabilities (B, 2**n) of any real dtype."""

    def probabilities(self, angles: Tensor) -> Tensor:
        """Compute the exact probability of every bit string.

        Args:
            angles: (B, P) in radians, float32 or float64.

        Returns:
            (B, 2**n) in the dtype of the angles, by basis index, qubit 0 being the most significant bit. Autograd
            reaches the angles where the engine is differentiable.

        Raises:
            CircuitError: If the angles have another shape or dtype.
        """
        self._check_angles(angles)
        if len(angles) == 0:
            return angles.new_zeros(0, 2**self.circuit.n_qubits)
        # Mixed precision is for networks: a bfloat16 product would ruin a state.
        with torch.autocast(angles.device.type, enabled=False):
            return self._probabilities(angles).to(angles.dtype)

    def expectations(self, angles: Tensor) -> Tensor:
        """Compute the exact probability of reading 1, qubit by qubit.

        Args:
            angles: (B, P) in radians, float32 or float64.

        Returns:
            (B, n) in [0, 1] and in the dtype of the angles; differentiable as `probabilities` are.

        Raises:
            CircuitError: If the angles have another shape or dtype.
        """
        probabilities = self.probabilities(angles)
        n_qubits = self.circuit.n_qubits
        ones = bits_of(torch.arange(2**n_qubits, device=angles.device), n_qubits).to(angles.dtype)
        with torch.autocast(angles.device.type, enabled=False):
            return (probabilities @ ones).clamp(max=1.0)  # a sum of rounded terms may pass 1

    @torch.no_grad()
    def sample(self, angles: Tensor, shots: int, generator: torch.Generator) -> Tensor:
        """Draw bit strings, as measuring every qubit does.

        Args:
            angles: (B, P) in radians, float32 or float64, finite.
            shots: Independent measurements for each row of angles, at least 1.
            generator: Source of the randomness, on the device of the angles.

        Returns:
            (B, shots, n) of 0 and 1 in the dtype of the angles, detached.

        Raises:
            CircuitError: If an argument does not fit as said above.
        """
        if shots < 1:
            raise CircuitError(f"shots is {shots}, expected at least 1")
        self._check_angles(angles)
        if generator.device.type != angles.device.type:
            raise CircuitError(f"the generator is on {generator.device}, expected {angles.device} as the angles are")
        if not torch.isfinite(angles).all():
            raise CircuitError("the angles contain NaN or infinity, expected finite radians")
        if len(angles) == 0:
            return angles.new_zeros(0, shots, self.circuit.n_qubits)
        indices = torch.multinomial(self.probabilities(angles), shots, replacement=True, generator=generator)
        return bits_of(indices, self.circuit.n_qubits).to(angles.dtype)

    def _check_angles(self, angles: Tensor) -> None:
        expected = f"expected (B, {self.circuit.n_angles}), B samples of {self.circuit.n_angles} angles"
        if angles.ndim != 2 or angles.shape[1] != self.circuit.n_angles:
            raise CircuitError(f"angles of shape {tuple(angles.shape)} do not fit the circuit: {expected}")
        if angles.dtype not in (torch.float32, torch.float64):
            raise CircuitError(f"angles have dtype {angles.dtype}, expected torch.float32 or torch.float64")


class Engine(ABC):
    """A way to run circuits. Leaves set `name` and `capabilities` and implement `_build`."""

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]

    def prepare(self, circuit: Circuit) -> Executable:
        """Make a circuit ready to run; the work that all calls share is done here.

        Raises:
            EngineError: If the circuit is too large or has gates that the engine lacks, or if a package that the
                engine needs is not installed.
        """
        shortfall = self.capabilities.shortfall(circuit)
        if shortfall:
            raise EngineError(f"engine {self.name!r} {shortfall}")
        return self._build(circuit)

    @abstractmethod
    def _build(self, circuit: Circuit) -> Executable:
        """Return the executable of a circuit that fits the capabilities."""
