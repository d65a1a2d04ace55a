"""Models: the exchangeable block, the quantum layer around it, actors, critics, and gradients through the block."""

from qtrl.nn.actor import HybridActor
from qtrl.nn.blocks import FC, PQC, RBG, Bernoulli, Block, FCMatched, Shuffled, Zeros
from qtrl.nn.critic import Critic, TwinCritic
from qtrl.nn.gradients import (
    Direct,
    ExactEstimator,
    GradientEstimator,
    ParameterShiftEstimator,
    QtDNNEstimator,
    SPSAEstimator,
    StraightThroughEstimator,
    ZeroEstimator,
)
from qtrl.nn.mlp import mlp
from qtrl.nn.mlp_actor import MLPActor
from qtrl.nn.quantum_layer import (
    QuantumLayer,
    QuantumLayers,
    approximated,
    classical_parameters,
    estimator_parameters,
    quantum_layers,
    replaced,
)
from qtrl.nn.targets import acting_copy, copy_weights_, polyak_, target_copy

__all__ = [
    "FC",
    "PQC",
    "RBG",
    "Bernoulli",
    "Block",
    "Critic",
    "Direct",
    "ExactEstimator",
    "FCMatched",
    "GradientEstimator",
    "HybridActor",
    "MLPActor",
    "ParameterShiftEstimator",
    "QtDNNEstimator",
    "QuantumLayer",
    "QuantumLayers",
    "SPSAEstimator",
    "Shuffled",
    "StraightThroughEstimator",
    "TwinCritic",
    "ZeroEstimator",
    "Zeros",
    "acting_copy",
    "approximated",
    "classical_parameters",
    "copy_weights_",
    "estimator_parameters",
    "mlp",
    "polyak_",
    "quantum_layers",
    "replaced",
    "target_copy",
]
