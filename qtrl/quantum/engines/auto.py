"""The engine that picks an engine."""

from qtrl.errors import EngineError
from qtrl.quantum.capabilities import Capabilities
from qtrl.quantum.circuit import Circuit
from qtrl.quantum.engine import Engine, Executable
from qtrl.quantum.engines.reference import ReferenceEngine
from qtrl.quantum.engines.statevector import StatevectorEngine
from qtrl.quantum.engines.torchquantum import TorchQuantumEngine

_FASTEST_FIRST: tuple[type[Engine], ...] = (StatevectorEngine, TorchQuantumEngine, ReferenceEngine)
_MEMBERS = tuple(engine.capabilities for engine in _FASTEST_FIRST)


class AutoEngine(Engine):
    """Runs each circuit on the fastest engine that can hold it; `Executable.engine` tells which one that is.

    Its capabilities are what at least one engine can do.
    """

    name = "auto"
    capabilities = Capabilities(
        gates=frozenset().union(*(member.gates for member in _MEMBERS)),
        max_qubits=max(member.max_qubits for member in _MEMBERS),
        differentiable=any(member.differentiable for member in _MEMBERS),
        double_precision=any(member.double_precision for member in _MEMBERS),
    )

    def _build(self, circuit: Circuit) -> Executable:
        for engine in _FASTEST_FIRST:
            if engine.capabilities.shortfall(circuit) is None:
                return engine().prepare(circuit)
        tried = "; ".join(f"{engine.name!r} {engine.capabilities.shortfall(circuit)}" for engine in _FASTEST_FIRST)
        raise EngineError(f"no engine can run the circuit: {tried}")
