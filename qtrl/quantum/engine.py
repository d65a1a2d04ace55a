"""The contract of engines: an `Engine` prepares a `Circuit` once, the `Executable` runs it on batches of angles.

Shapes: `B` batch, `P` angles of the circuit, `n` qubits, `S` shots.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import nullcontext
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from qtrl.errors import CircuitError, EngineError
from qtrl.quantum.checks import Capabilities, check_angles, check_finite, check_memory
from qtrl.quantum.circuit import Circuit, unshare
from qtrl.quantum.clock import Clock


def bits_of(indices: Tensor, n_qubits: int) -> Tensor:
    """Spread basis indices (...) over their bits (..., n), qubit 0 being the most significant one."""
    shifts = torch.arange(n_qubits - 1, -1, -1, device=indices.device)
    return (indices.unsqueeze(-1) >> shifts) & 1


def uniform_draws(angles: Tensor, shots: int, generator: torch.Generator) -> Tensor:
    """Draw numbers (B, S) from [0, 1) in double precision for angles (B, P)."""
    return torch.rand(len(angles), shots, dtype=torch.float64, device=angles.device, generator=generator)


class Executable:
    """A circuit made ready by an engine.

    It holds plain data only: it is no `nn.Module`, keeps nothing of a call but its time, and can be copied, pickled and
    sent to other processes.

    Its methods take angles (B, P) in radians, float32 or float64, finite, and return values in the dtype and on the
    device of the angles. Angles are checked to be finite on a CPU only, since the check would synchronize with an
    accelerator. There, rows of angles that are not finite give NaN. `shots` are independent measurements for each row,
    at least 1, drawn from a generator on the device of the angles. A `CircuitError` says what does not fit.

    Subclasses implement one hook: `_probabilities`, or `_sample` where the engine can only sample (its capabilities
    then say `exact=False`). They override the other hooks where there is a faster way. Hooks get checked rows, at least
    one, of angles followed by the circuit's constants.

    Attributes:
        circuit: What it runs.
        engine: Name of the engine that really runs it.
        capabilities: What that engine can do.
        clock: Has the seconds of all runs so far, and of gradients through them.
    """

    def __init__(self, circuit: Circuit, engine: "Engine") -> None:
        self.circuit = circuit
        self.engine = engine.name
        self.capabilities = engine.capabilities
        self._engine = engine
        self.clock = Clock()
        self._constants: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_constants": {}}  # made again on the device where the copy runs

    def _probabilities(self, angles: Tensor) -> Tensor:
        """Map angles (B, places) to probabilities (B, 2**n) of any real dtype; called of exact engines only."""
        raise NotImplementedError(f"{type(self).__name__} implements neither _probabilities nor _sample")

    def _expectations(self, angles: Tensor) -> Tensor:
        """Map angles (B, places) to the probability of reading 1 on each qubit (B, n), of any real dtype."""
        probabilities = self._probabilities(angles)
        basis = torch.arange(2**self.circuit.n_qubits, device=angles.device)
        # A sum of rounded terms may pass 1.
        return (probabilities @ bits_of(basis, self.circuit.n_qubits).to(probabilities.dtype)).clamp(max=1.0)

    def _sample(self, angles: Tensor, shots: int, generator: torch.Generator) -> Tensor:
        """Draw for angles (B, places) the indices (B, shots) of basis states; -1 for rows of NaN."""
        cumulative = self._probabilities(angles).double().cumsum(dim=1)
        draws = uniform_draws(angles, shots, generator) * cumulative[:, -1:]
        indices = torch.searchsorted(cumulative, draws, right=True)
        finite = torch.isfinite(cumulative[:, -1:])
        return torch.where(finite, indices.clamp(max=cumulative.shape[1] - 1), -1)

    def _ones(self, angles: Tensor, shots: int, generator: torch.Generator) -> Tensor:
        """Draw as `_sample` does, and count the ones of each qubit (B, n)."""
        return self._bits(self._sample(angles, shots, generator), angles.dtype).sum(dim=1)

    def _check_finite(self, angles: Tensor) -> None:
        """Refuse NaN and infinity; empty where the other hooks call `check_finite` themselves."""
        check_finite(angles)

    def probabilities(self, angles: Tensor) -> Tensor:
        """Compute the exact probability of every bit string.

        Returns:
            (B, 2**n) by basis index, qubit 0 being the most significant bit. Autograd reaches the angles where the
            engine is differentiable.

        Raises:
            CircuitError: If the angles do not fit, or the result would not fit into memory.
            EngineError: If the engine can only sample.
        """
        check_exact(self, "probabilities")
        return self._exact(self._probabilities, angles, 2**self.circuit.n_qubits)

    def expectations(self, angles: Tensor) -> Tensor:
        """Compute the exact probability of reading 1 on each qubit, (B, n) in [0, 1], as `probabilities` does."""
        check_exact(self, "expectations")
        return self._exact(self._expectations, angles, self.circuit.n_qubits)

    @torch.no_grad()
    def sample(self, angles: Tensor, shots: int, generator: torch.Generator) -> Tensor:
        """Measure every qubit: draw bit strings (B, shots, n) of 0 and 1, detached."""
        return self._bits(self._drawn(self._sample, angles, shots, generator, width=shots), angles.dtype)

    @torch.no_grad()
    def marginals(self, angles: Tensor, shots: int, generator: torch.Generator) -> Tensor:
        """Return the mean over the shots of `sample` with an equal generator: (B, n) in [0, 1], detached.

        The bits (B, shots, n) themselves are not stored where the engine supports it.
        """
        return self._drawn(self._ones, angles, shots, generator, width=self.circuit.n_qubits).to(angles.dtype) / shots

    def engine_on(self, device: torch.device) -> str:
        """Return the name of the engine that runs float32 angles on a device."""
        return self.engine

    @cached_property
    def unshared(self) -> "Executable":
        """The same circuit with no angle shared by two gates (see `unshare`), on the same engine and clock."""
        circuit, _ = unshare(self.circuit)
        if circuit == self.circuit:
            return self
        executable = self._engine.prepare(circuit)
        executable.clock = self.clock
        return executable

    def _exact(self, compute: Callable[[Tensor], Tensor], angles: Tensor, width: int) -> Tensor:
        check_angles(angles, self.circuit, self.capabilities, self.engine)
        self._check_finite(angles)
        if len(angles) == 0:
            empty = angles.new_zeros(0, width)
            return empty + angles.sum() if self.capabilities.differentiable else empty
        check_memory(len(angles) * width * angles.element_size(), angles.device)
        mixed = torch.is_autocast_enabled(angles.device.type)  # for networks: bfloat16 products would destroy a state
        with torch.autocast(angles.device.type, enabled=False) if mixed else nullcontext():
            result = self.clock.time(lambda given: compute(self._places(given)), angles)
        return result if result.dtype == angles.dtype else result.to(angles.dtype)

    def _places(self, angles: Tensor) -> Tensor:
        """Append the circuit's constants (B, P) -> (B, places)."""
        if not self.circuit.constants:
            return angles
        kind = angles.device, angles.dtype
        if kind not in self._constants:  # copying from the host cannot be captured into a CUDA graph
            with torch.inference_mode(False):
                self._constants[kind] = torch.tensor(self.circuit.constants, dtype=angles.dtype, device=angles.device)
        return torch.cat([angles, self._constants[kind].expand(len(angles), -1)], dim=1)

    def _bits(self, indices: Tensor, dtype: torch.dtype) -> Tensor:
        bits = bits_of(indices, self.circuit.n_qubits).to(dtype)
        return bits if indices.device.type == "cpu" else bits.masked_fill(indices.unsqueeze(-1) < 0, torch.nan)

    def _drawn(
        self, draw: Callable[..., Tensor], angles: Tensor, shots: int, generator: torch.Generator, *, width: int
    ) -> Tensor:
        if shots < 1:
            raise CircuitError(f"shots is {shots}, expected at least 1")
        check_angles(angles, self.circuit, self.capabilities, self.engine)
        self._check_finite(angles)
        if generator.device.type != angles.device.type:
            raise CircuitError(f"the generator is on {generator.device}, expected {angles.device} as the angles are")
        if len(angles) == 0:
            return angles.new_zeros(0, width, dtype=torch.long)
        return self.clock.time(lambda given: draw(self._places(given), shots, generator), angles)


class Engine(ABC):
    """A way to run circuits: subclasses set `name` and `capabilities` and implement `_build`.

    `package` names what has to be importable, for engines that need more than qtrl itself does. Arguments of a
    subclass's constructor are the options of the engine, keys of its config.
    """

    name: ClassVar[str]
    package: ClassVar[str | None] = None
    capabilities: Capabilities

    def prepare(self, circuit: Circuit) -> Executable:
        """Make a circuit ready to run; the work that all calls share is done here.

        Raises:
            EngineError: If the circuit is too large or has gates that the engine lacks, or if a package that the
                engine needs is not installed.
        """
        shortfall = self.capabilities.shortfall(circuit)
        if shortfall:
            raise EngineError(f"engine {self.name!r} {shortfall}; engine 'auto' takes one that can, if there is any")
        with torch.device("cpu"):  # whatever the default device: tables of a circuit are made on the host
            return self._build(circuit)

    @abstractmethod
    def _build(self, circuit: Circuit) -> Executable:
        """Return the executable of a circuit that fits the capabilities."""


def check_exact(executable: Executable, owner: str) -> None:
    """Refuse an engine that can only sample, before exact probabilities are asked for.

    Raises:
        EngineError: Names the engine, what works with it, and the `owner`, which needs exact values.
    """
    if not executable.capabilities.exact:
        raise EngineError(
            f"{owner}: engine {executable.engine!r} can only sample and computes no exact probabilities; take readout "
            "mean, sample or majority, gradient qtdnn, or parameter_shift or spsa with shots, or another engine"
        )
