"""The engine that picks an engine."""

import torch
from torch import Tensor

from qtrl.errors import EngineError
from qtrl.quantum.capabilities import Capabilities
from qtrl.quantum.circuit import Circuit
from qtrl.quantum.engine import Engine, Executable
from qtrl.quantum.engines.numba import NumbaEngine
from qtrl.quantum.engines.reference import ReferenceEngine
from qtrl.quantum.engines.statevector import StatevectorEngine
from qtrl.quantum.engines.torchquantum import TorchQuantumEngine

# `triton` is left out until it has been timed on a GPU.
_FASTEST_FIRST: tuple[type[Engine], ...] = (NumbaEngine, StatevectorEngine, TorchQuantumEngine, ReferenceEngine)


def _joined(engines: tuple[type[Engine], ...]) -> Capabilities:
    """Return what at least one of some engines can do."""
    members = [engine.capabilities for engine in engines]
    return Capabilities(
        gates=frozenset().union(*(member.gates for member in members)),
        max_qubits=max(member.max_qubits for member in members),
        differentiable=any(member.differentiable for member in members),
        double_precision=any(member.double_precision for member in members),
        devices=frozenset().union(*(member.devices for member in members)),
    )


class AutoExecutable(Executable):
    """Hands each call to the fastest engine for the device and the dtype of its angles.

    It is named after the engine that runs float32 angles on a CPU; `engine_on` tells the others.
    """

    def __init__(self, circuit: Circuit, engine: Engine, able: tuple[type[Engine], ...]) -> None:
        super().__init__(circuit, engine)
        self._able = able
        self._made: dict[type[Engine], Executable] = {}
        self.engine = self.engine_on(torch.device("cpu"))
        self.capabilities = _joined(able)

    def engine_on(self, device: torch.device) -> str:
        """Return the name of the engine that runs float32 angles on a device."""
        return self._pick(device, torch.float32, gradient=False).engine

    def _check_finite(self, angles: Tensor) -> None:
        self._pick_for(angles)._check_finite(angles)

    def _probabilities(self, angles: Tensor) -> Tensor:
        return self._pick_for(angles)._probabilities(angles)

    def _expectations(self, angles: Tensor) -> Tensor:
        return self._pick_for(angles)._expectations(angles)

    def _sample(self, angles: Tensor, shots: int, generator: torch.Generator) -> Tensor:
        return self._pick_for(angles)._sample(angles, shots, generator)

    def _ones(self, angles: Tensor, shots: int, generator: torch.Generator) -> Tensor:
        return self._pick_for(angles)._ones(angles, shots, generator)

    def _pick_for(self, angles: Tensor) -> Executable:
        return self._pick(angles.device, angles.dtype, gradient=angles.requires_grad and torch.is_grad_enabled())

    def _pick(self, device: torch.device, dtype: torch.dtype, *, gradient: bool) -> Executable:
        """Return what runs such angles; double precision is kept where any engine has it."""
        able = [engine for engine in self._able if device.type in engine.capabilities.devices]
        if gradient:
            able = [engine for engine in able if engine.capabilities.differentiable] or able
        if dtype == torch.float64:
            able.sort(key=lambda engine: not engine.capabilities.double_precision)
        if able[0] not in self._made:
            self._made[able[0]] = able[0]().prepare(self.circuit)
        return self._made[able[0]]


class AutoEngine(Engine):
    """Runs each circuit on the fastest engine that can hold it; `Executable.engine` tells which one that is.

    Its capabilities are what at least one engine can do.
    """

    name = "auto"
    capabilities = _joined(_FASTEST_FIRST)

    def _build(self, circuit: Circuit) -> Executable:
        able = tuple(engine for engine in _FASTEST_FIRST if engine.capabilities.shortfall(circuit) is None)
        if not able:
            tried = "; ".join(f"{engine.name!r} {engine.capabilities.shortfall(circuit)}" for engine in _FASTEST_FIRST)
            raise EngineError(f"no engine can run the circuit: {tried}")
        return AutoExecutable(circuit, self, able)
