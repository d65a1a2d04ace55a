"""All engines by name. A new one joins `CANDIDATES` in `auto.py`, and thereby `ENGINES` and the contract tests."""

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from qtrl.errors import EngineError
from qtrl.quantum.engine import Engine
from qtrl.quantum.engines.auto import CANDIDATES, AutoEngine
from qtrl.quantum.engines.numba import NumbaEngine
from qtrl.quantum.engines.reference import ReferenceEngine
from qtrl.quantum.engines.statevector import StatevectorEngine
from qtrl.quantum.engines.torchquantum import TorchQuantumEngine
from qtrl.quantum.engines.triton import TritonEngine

__all__ = ["AutoEngine", "NumbaEngine", "ReferenceEngine", "StatevectorEngine", "TorchQuantumEngine", "TritonEngine"]
__all__ += ["ENGINES", "make_engine"]

ENGINES: Mapping[str, type[Engine]] = MappingProxyType({AutoEngine.name: AutoEngine, **CANDIDATES})
"""Name to engine class."""


def make_engine(name: str = "auto", **options: Any) -> Engine:
    """Make an engine by name.

    Args:
        name: Key of `ENGINES`.
        options: Arguments of its class.

    Raises:
        EngineError: If there is no such engine, or it has no such option; the message lists those there are.
    """
    if name not in ENGINES:
        raise EngineError(f"unknown engine {name!r}, expected one of {', '.join(ENGINES)}")
    known = inspect.signature(ENGINES[name]).parameters
    unknown = [option for option in options if option not in known]
    if unknown:
        raise EngineError(f"engine {name!r} has no option {unknown[0]!r}, its options: {', '.join(known) or 'none'}")
    return ENGINES[name](**options)
