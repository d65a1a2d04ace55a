"""A network as one deterministic function, with classical modules in the place of circuits.

Shapes: `B` batch, `D` inputs, `O` outputs, `P` inputs of a block, `Q` its outputs.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor, nn

from qtrl.errors import ConfigError
from qtrl.nn import QuantumLayer, quantum_layers, replaced
from qtrl.quantum.readout import misread
from qtrl.quantum.real_circuit import RealCircuit


class Surrogate(nn.Module):
    """The probabilities (B, Q) of the model that was fitted to a layer's block.

    Raises:
        ConfigError: Nothing was fitted to it.
    """

    def __init__(self, layer: QuantumLayer) -> None:
        super().__init__()
        self.estimator = layer.estimator
        with torch.no_grad():
            if self.estimator.logits(torch.zeros(1, layer.n_in)) is None:
                kind = type(self.estimator).__name__
                raise ConfigError(f"quantum=surrogate: {kind} fits no surrogate to the circuit: take quantum=exact")

    def forward(self, q_in: Tensor) -> Tensor:
        """Return probabilities for inputs (B, P)."""
        logits = self.estimator.logits(q_in)
        assert logits is not None
        return torch.sigmoid(logits)


class Expectations(nn.Module):
    """The exact probabilities (B, Q) with which the qubits of a layer's circuit read 1.

    Raises:
        ConfigError: The block reads something else on average.
        CircuitError: The circuit is too large.
    """

    MEANS = ("sample", "mean", "expectation")

    def __init__(self, layer: QuantumLayer) -> None:
        super().__init__()
        block, readout = layer.block, getattr(layer.block, "readout", None)
        if block.executable is None or not block.returns_readout or readout not in self.MEANS:
            what = f"block {type(block).__name__} with readout {readout}"
            raise ConfigError(f"quantum=exact: {what} does not give expectations: take quantum=surrogate")
        self.circuit, self.readout_error = RealCircuit(block.executable.circuit), block.readout_error

    def forward(self, q_in: Tensor) -> Tensor:
        """Return probabilities for angles (B, P)."""
        return misread(self.circuit(q_in), self.readout_error)


class BlockMean(nn.Module):
    """The mean (B, Q) of a block without a circuit over its draws."""

    def __init__(self, layer: QuantumLayer) -> None:
        super().__init__()
        self.block = layer.block

    def forward(self, q_in: Tensor) -> Tensor:
        """Return it for inputs (B, P)."""
        return self.block.mean(q_in)


QUANTUM: Mapping[str, Callable[[QuantumLayer], nn.Module]] = MappingProxyType(
    {"surrogate": Surrogate, "exact": Expectations}
)
"""What `quantum` may be, and what then computes in the place of a circuit."""


class WithoutCircuits(nn.Module):
    """Compute what a network does, (B, D) to (B, O), without draws and without its circuits.

    Args:
        network: Holds any number of quantum layers.
        quantum: A key of `QUANTUM`; blocks without a circuit give their mean.

    Raises:
        QtrlError: A layer's circuit cannot be replaced so.
    """

    def __init__(self, network: nn.Module, quantum: str) -> None:
        super().__init__()
        self.network = network
        self._layers = quantum_layers(network)
        makers = [BlockMean if each.block.executable is None else QUANTUM[quantum] for each in self._layers.values()]
        self.stand_ins = nn.ModuleList(make(layer) for make, layer in zip(makers, self._layers.values(), strict=True))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the network's outputs."""
        with ExitStack() as stack:
            for layer, stand_in in zip(self._layers.values(), self.stand_ins, strict=True):
                stack.enter_context(replaced(layer, partial(_without_draws, stand_in)))
            outputs: Tensor = self.network(inputs)
        return outputs


def _without_draws(stand_in: nn.Module, q_in: Tensor, generator: torch.Generator | None) -> Tensor:
    q_out: Tensor = stand_in(q_in)
    return q_out
