"""Hybrid quantum-classical reinforcement learning, trained through a learned tangent of the quantum circuit.

`qtrl.load("runs/NAME")` loads what a run has learned; see `qtrl.loaded.load`. Importing this package is light: nothing
heavier than the standard library is loaded until a subpackage is, or an agent.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "load":
        return import_module("qtrl.loaded").load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
