"""The engine `auto`: each call goes to the first of some engines that can do it."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from types import MappingProxyType

import torch
from torch import Tensor

from qtrl.errors import EngineError
from qtrl.quantum.checks import Capabilities
from qtrl.quantum.circuit import Circuit
from qtrl.quantum.engine import Engine, Executable, check_exact
from qtrl.quantum.engines.numba import NumbaEngine
from qtrl.quantum.engines.reference import ReferenceEngine
from qtrl.quantum.engines.statevector import StatevectorEngine
from qtrl.quantum.engines.torchquantum import TorchQuantumEngine
from qtrl.quantum.engines.triton import TritonEngine

_ALL = (NumbaEngine, ReferenceEngine, StatevectorEngine, TorchQuantumEngine, TritonEngine)
CANDIDATES: Mapping[str, type[Engine]] = MappingProxyType({engine.name: engine for engine in _ALL})
"""Name to class of the engines that `auto` can use."""

FASTEST_FIRST = ("numba", "triton", "statevector", "torchquantum", "reference")
"""What `auto` uses by default, as measured: docs/benchmarks/peers.md for CPUs, docs/benchmarks/gpu.md for GPUs."""
UNTIMED_GRADIENTS = frozenset({"triton"})
"""Engines that come after others where a gradient is needed: theirs was not timed on a device yet."""


def _joined(engines: Iterable[Engine | type[Engine]]) -> Capabilities:
    """Return what at least one of some engines can do."""
    members = [engine.capabilities for engine in engines]
    return Capabilities(
        gates=frozenset().union(*(member.gates for member in members)),
        max_qubits=max(member.max_qubits for member in members),
        differentiable=any(member.differentiable for member in members),
        double_precision=any(member.double_precision for member in members),
        devices=frozenset().union(*(member.devices for member in members)),
        exact=any(member.exact for member in members),
    )


class AutoExecutable(Executable):
    """Hands each call to the first engine that suits the device and the dtype of its angles.

    Its attribute `engine` names the one that runs float32 angles on a CPU; `engine_on` tells that of other devices.
    """

    def __init__(self, circuit: Circuit, engine: Engine, able: Sequence[Engine]) -> None:
        super().__init__(circuit, engine)
        self._able = able
        self._prepared: dict[Engine, Executable] = {}
        self.capabilities = _joined(able)
        self.engine = self.engine_on(torch.device("cpu"))

    def engine_on(self, device: torch.device) -> str:
        """See `Executable`."""
        return self._pick(device, torch.float32).engine

    def _check_finite(self, angles: Tensor) -> None:
        """Leave it to the engine that is picked."""

    def _probabilities(self, angles: Tensor) -> Tensor:
        return self._pick_for(angles, exact=True)._probabilities(angles)

    def _expectations(self, angles: Tensor) -> Tensor:
        return self._pick_for(angles, exact=True)._expectations(angles)

    def _sample(self, angles: Tensor, shots: int, generator: torch.Generator) -> Tensor:
        return self._pick_for(angles)._sample(angles, shots, generator)

    def _ones(self, angles: Tensor, shots: int, generator: torch.Generator) -> Tensor:
        return self._pick_for(angles)._ones(angles, shots, generator)

    def _pick_for(self, angles: Tensor, *, exact: bool = False) -> Executable:
        gradient = angles.requires_grad and torch.is_grad_enabled()
        executable = self._pick(angles.device, angles.dtype, gradient, exact)
        if exact:
            check_exact(executable, f"exact values of angles on {angles.device}")
        executable._check_finite(angles)
        return executable

    def _pick(
        self, device: torch.device, dtype: torch.dtype, gradient: bool = False, exact: bool = False
    ) -> Executable:
        """Return the executable for such angles; exact, differentiable and precise engines go first where needed."""
        able = [engine for engine in self._able if device.type in engine.capabilities.devices]

        def rank(engine: Engine) -> tuple[bool, bool, bool, bool]:
            can = engine.capabilities
            single = dtype == torch.float64 and not can.double_precision
            untimed = gradient and engine.name in UNTIMED_GRADIENTS
            return exact and not can.exact, gradient and not can.differentiable, untimed, single

        best = min(able, key=rank)
        if best not in self._prepared:
            self._prepared[best] = best.prepare(self.circuit)
        return self._prepared[best]


class AutoEngine(Engine):
    """Runs each circuit on the fastest engine that can; `Executable.engine` names it.

    Its capabilities are what at least one of the candidates can do.

    Args:
        candidates: Names of engines, the preferred one first; an engine with options of its own is given itself.

    Raises:
        EngineError: If there is no candidate, or no engine of that name.
    """

    name = "auto"
    capabilities = _joined(CANDIDATES[name] for name in FASTEST_FIRST)

    def __init__(self, candidates: Sequence[str | Engine] = FASTEST_FIRST) -> None:
        self._candidates = [self._candidate(candidate) for candidate in candidates]
        if not self._candidates:
            raise EngineError(f"engine 'auto' has no candidates, expected some of {', '.join(CANDIDATES)}")
        self.capabilities = _joined(self._candidates)

    def prepare(self, circuit: Circuit) -> Executable:
        """Make a circuit ready to run on those candidates that can; if none can, the error has the reason of each."""
        reasons = {engine.name: engine.capabilities.shortfall(circuit) for engine in self._candidates}
        if all(reasons.values()):
            tried = "; ".join(f"{name!r} {reason}" for name, reason in reasons.items())
            raise EngineError(f"no engine can run the circuit: {tried}")
        return self._build(circuit)

    def _build(self, circuit: Circuit) -> Executable:
        able = [engine for engine in self._candidates if engine.capabilities.shortfall(circuit) is None]
        installed = [engine for engine in able if engine.package is None or find_spec(engine.package)]
        return AutoExecutable(circuit, self, installed or able)

    @staticmethod
    def _candidate(candidate: str | Engine) -> Engine:
        if isinstance(candidate, Engine):
            return candidate
        if candidate not in CANDIDATES:
            known = ", ".join(CANDIDATES)
            raise EngineError(f"engine 'auto': unknown candidate {candidate!r}, expected some of {known}")
        return CANDIDATES[candidate]()
