"""Models: the exchangeable block, the quantum layer around it, actors, critics, and gradients through the block."""

from qtrl.nn.actor import HybridActor
from qtrl.nn.blocks import FC, PQC, RBG, Bernoulli, Block, FCMatched, Shuffled, Zeros
from qtrl.nn.critics import CategoricalCritic, Critic, TDLoss, TDRows, TwinCritic
from qtrl.nn.gradients import (
    Direct,
    ExactEstimator,
    GradientEstimator,
    MakeEstimator,
    ParameterShiftEstimator,
    QtDNNEstimator,
    SPSAEstimator,
    StraightThroughEstimator,
    ZeroEstimator,
    local_qtdnn,
)
from qtrl.nn.hybrid_net import HybridNet
from qtrl.nn.mlp import mlp
from qtrl.nn.mlp_actor import MLPActor
from qtrl.nn.norms.batch_norm import BatchNorm, Statistics
from qtrl.nn.norms.normalization import RewardScale, RunningNorm, reward_scales, running_norms, update_norms
from qtrl.nn.norms.scaling import ANGLE_BOUNDS, AngleScaling, OutputScaling
from qtrl.nn.norms.standardize import Standardize
from qtrl.nn.pair_buffer import PairBuffer
from qtrl.nn.prediction import predict_rows
from qtrl.nn.quantum_layer import QuantumLayer
from qtrl.nn.quantum_layers import (
    QuantumLayers,
    approximated,
    classical_parameters,
    drawing,
    estimator_parameters,
    held_fixed,
    perturbed,
    quantum_layers,
    replaced,
)
from qtrl.nn.recorded_pairs import fit_quantum_layers, load_pair_buffers, pair_buffers_state
from qtrl.nn.targets import acting_copy, copy_weights_, polyak_, target_copy

__all__ = ["FC", "PQC", "RBG", "Bernoulli", "Block", "FCMatched", "Shuffled", "Zeros"]
__all__ += ["Direct", "ExactEstimator", "GradientEstimator", "ParameterShiftEstimator", "QtDNNEstimator"]
__all__ += ["MakeEstimator", "SPSAEstimator", "StraightThroughEstimator", "ZeroEstimator", "local_qtdnn"]
__all__ += ["CategoricalCritic", "Critic", "HybridActor", "MLPActor", "TDLoss", "TDRows", "TwinCritic", "mlp"]
__all__ += ["BatchNorm", "RewardScale", "RunningNorm", "Statistics", "reward_scales", "running_norms"]
__all__ += ["HybridNet", "Standardize", "update_norms"]
__all__ += ["QuantumLayer", "QuantumLayers", "quantum_layers"]
__all__ += ["approximated", "drawing", "held_fixed", "perturbed", "replaced"]
__all__ += ["ANGLE_BOUNDS", "AngleScaling", "OutputScaling"]
__all__ += ["PairBuffer", "fit_quantum_layers", "load_pair_buffers", "pair_buffers_state"]
__all__ += ["acting_copy", "classical_parameters", "copy_weights_", "estimator_parameters", "polyak_", "target_copy"]
__all__ += ["predict_rows"]
