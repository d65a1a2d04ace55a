"""The circuit as a block, and the control whose outputs lose their places."""

import torch
from torch import Tensor

from qtrl.errors import CircuitError, ConfigError
from qtrl.meters import Cost
from qtrl.nn.blocks.base import Block, drawing_from
from qtrl.nn.sizes import check_sizes
from qtrl.quantum import READOUTS, Circuit, Engine, Executable, check_exact, check_readout_error, mean_readout, n_shots


class PQC(Block):
    """Run a parameterized quantum circuit on the angles of each row and read its qubits out.

    No gradient comes back, and there are no parameters: all that is learned lies around the circuit.

    Args:
        n_in: Angles of the circuit.
        n_out: Qubits of the circuit, one output each.
        circuit: The circuit.
        engine: The engine that runs it.
        readout: One of `qtrl.quantum.READOUTS`.
        shots: Measurements of each row, where the readout takes any number.
        readout_error: Probability with which a measured bit is read as the other one, from 0 to 0.5.
        surrogate: See `Block`.

    Raises:
        CircuitError: The circuit does not have `n_in` angles and `n_out` qubits.
        ConfigError: `readout` is unknown, or a number is out of range.
        EngineError: The engine cannot run the circuit, or can only sample where the readout needs exact values.
    """

    executable: Executable

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        circuit: Circuit,
        engine: Engine,
        readout: str = "mean",
        shots: int = 100,
        readout_error: float = 0.0,
        surrogate: bool = True,
    ) -> None:
        super().__init__(n_in, n_out, surrogate=surrogate)
        check_sizes("PQC", shots=shots)
        check_readout_error(readout_error)
        if readout not in READOUTS:
            raise ConfigError(f"PQC: readout is {readout!r}, expected one of {', '.join(READOUTS)}")
        if (circuit.n_angles, circuit.n_qubits) != (n_in, n_out):
            has = f"the circuit has {circuit.n_angles} angles and {circuit.n_qubits} qubits"
            raise CircuitError(f"PQC: {has}, but the block has n_in={n_in} and n_out={n_out}; they must be equal")
        self.executable = engine.prepare(circuit)
        if circuit.base:
            self.base.copy_(torch.tensor(circuit.base))
        if not n_shots(readout, shots):
            check_exact(self.executable, f"readout {readout}")
        self.readout, self.shots, self.readout_error = readout, shots, readout_error

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Read values in [0, 1] out of the circuit for angles."""
        return READOUTS[self.readout](self.executable, q_in.detach(), self.shots, generator, self.readout_error)

    def mean(self, q_in: Tensor) -> Tensor:
        """Return the exact mean of the readout; runs one circuit for each row."""
        return mean_readout(self.readout, self.executable, q_in.detach(), self.shots, self.readout_error)

    def cost(self, batch: int) -> Cost:
        """Return one circuit for each row, and the shots that the readout takes of it."""
        return Cost(circuits=batch, shots=batch * n_shots(self.readout, self.shots))


class Shuffled(PQC):
    """Run the circuit, then put the outputs of each row in a random order, drawn anew at every call.

    The values are the circuit's own, and as random; which qubit said what is lost. How many ones there are is left.
    """

    returns_readout = False

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Read values in [0, 1] out of the circuit, in random order."""
        source = drawing_from(generator, self)
        q_out = super().forward(q_in, source)
        keys = torch.rand(q_out.shape, generator=source, device=q_out.device)
        return q_out.gather(1, keys.argsort(dim=1))

    def mean(self, q_in: Tensor) -> Tensor:
        """Return the exact mean over draws and orders: the same for every output of a row."""
        means = super().mean(q_in)
        return means.mean(dim=1, keepdim=True).expand_as(means)
