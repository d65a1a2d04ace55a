"""All engines by name. A new one joins `ENGINES` and thereby the contract tests."""

from collections.abc import Mapping
from types import MappingProxyType

from qtrl.errors import EngineError
from qtrl.quantum.engine import Engine
from qtrl.quantum.engines.auto import AutoEngine
from qtrl.quantum.engines.numba import NumbaEngine
from qtrl.quantum.engines.reference import ReferenceEngine
from qtrl.quantum.engines.statevector import StatevectorEngine
from qtrl.quantum.engines.torchquantum import TorchQuantumEngine
from qtrl.quantum.engines.triton import TritonEngine

ENGINES: Mapping[str, type[Engine]] = MappingProxyType(
    {
        engine.name: engine
        for engine in (AutoEngine, NumbaEngine, ReferenceEngine, StatevectorEngine, TorchQuantumEngine, TritonEngine)
    }
)
"""Name to engine class."""


def make_engine(name: str = "auto") -> Engine:
    """Make an engine by name.

    Raises:
        EngineError: If there is no such engine; the message lists those there are.
    """
    if name not in ENGINES:
        raise EngineError(f"unknown engine {name!r}, expected one of {', '.join(ENGINES)}")
    return ENGINES[name]()
