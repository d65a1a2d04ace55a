"""The hybrid network of an estimator, made from its parameters."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from torch import nn

from qtrl.nn import (
    PQC,
    ExactEstimator,
    HybridNet,
    MakeEstimator,
    ParameterShiftEstimator,
    SPSAEstimator,
    StraightThroughEstimator,
    local_qtdnn,
)
from qtrl.quantum import efficient_su2, make_engine

FITS = 4
"""Steps of a qtDNN at each update, on as many minibatches of recorded pairs; with one its gradient misleads."""
PAIRS_KEPT = 10
"""Minibatches of pairs that a quantum layer keeps."""

GRADIENTS: Mapping[str, MakeEstimator] = MappingProxyType(
    {
        "qtdnn": partial(local_qtdnn, pairs="stored", fit_batches=FITS),
        "exact": ExactEstimator,
        "parameter_shift": ParameterShiftEstimator,
        "spsa": SPSAEstimator,
        "straight_through": StraightThroughEstimator,
    }
)
"""What gives the circuits a gradient in training, by name."""


def make_network(parameters: Any, n_features: int, n_outputs: int) -> nn.Module:
    """Make a network with quantum layers that keep their pairs.

    Args:
        parameters: An estimator; its attributes are read.
        n_features: Inputs of the network.
        n_outputs: Its outputs.

    Raises:
        QtrlError: The engine cannot run the circuit.
    """
    circuit = efficient_su2(parameters.n_qubits, parameters.reps, base="plus")
    sizes = circuit.n_angles, circuit.n_qubits
    block = PQC(*sizes, circuit=circuit, engine=make_engine(parameters.engine))
    set_readout(block, parameters.shots)
    return HybridNet(
        n_features,
        n_outputs,
        block,
        GRADIENTS[parameters.gradient],
        hidden=parameters.hidden,
        layers=parameters.n_layers,
        links=parameters.links,
        pairs=PAIRS_KEPT * parameters.batch_size,
        angle_scale=0.1,
        bounded_links=True,
        q_out_center=0.5,
        q_out_scale=10.0,
    )


def set_readout(block: Any, shots: int | None) -> None:
    """Let a circuit's block average so many shots, or give exact expectations."""
    block.readout, block.shots = ("expectation", 1) if shots is None else ("mean", shots)
