"""Parametrized quantum circuits: what they are, engines that run them, and ways to read them out."""

from qtrl.quantum.ansatz import ENTANGLEMENTS, efficient_su2
from qtrl.quantum.capabilities import Capabilities
from qtrl.quantum.circuit import Circuit, Gate
from qtrl.quantum.engine import Engine, Executable
from qtrl.quantum.engines import ENGINES, make_engine
from qtrl.quantum.gates import GATES, GateSpec
from qtrl.quantum.readout import READOUTS, Readout, n_shots

__all__ = [
    "ENGINES",
    "ENTANGLEMENTS",
    "GATES",
    "READOUTS",
    "Capabilities",
    "Circuit",
    "Engine",
    "Executable",
    "Gate",
    "GateSpec",
    "Readout",
    "efficient_su2",
    "make_engine",
    "n_shots",
]
