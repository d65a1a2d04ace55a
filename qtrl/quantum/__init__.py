"""Parametrized quantum circuits: what they are, engines that run them, and ways to read them out."""

from qtrl.quantum.ansatz import ENTANGLEMENTS, data_reuploading, efficient_su2, fix_angles, fixed_angles
from qtrl.quantum.checks import Capabilities
from qtrl.quantum.circuit import Circuit, Gate
from qtrl.quantum.conversion import from_qiskit, from_torchquantum, to_qasm3, to_qiskit, to_torchquantum
from qtrl.quantum.drawing import draw
from qtrl.quantum.engine import Engine, Executable, check_exact
from qtrl.quantum.engines import ENGINES, make_engine
from qtrl.quantum.gates import GATES, GateSpec
from qtrl.quantum.readout import READOUTS, Readout, check_readout_error, mean_readout, n_shots, readout_needs_exact

__all__ = ["ENTANGLEMENTS", "GATES", "Circuit", "Gate", "GateSpec"]
__all__ += ["data_reuploading", "efficient_su2", "fix_angles", "fixed_angles"]
__all__ += ["draw", "from_qiskit", "from_torchquantum", "to_qasm3", "to_qiskit", "to_torchquantum"]
__all__ += ["ENGINES", "Capabilities", "Engine", "Executable", "check_exact", "make_engine"]
__all__ += ["READOUTS", "Readout", "check_readout_error", "mean_readout", "n_shots", "readout_needs_exact"]
