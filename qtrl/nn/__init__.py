"""Models: the exchangeable block, the hybrid actor around it, the critics, and the gradient through the block."""

from qtrl.nn.actor import ActorOutput, HybridActor
from qtrl.nn.blocks import FC, PQC, RBG, Bernoulli, Block, FCMatched, Shuffled, Zeros
from qtrl.nn.critic import Critic, TwinCritic
from qtrl.nn.estimators import (
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
from qtrl.nn.tangent import tangent_action
from qtrl.nn.targets import frozen_copy, polyak_

__all__ = [
    "FC",
    "PQC",
    "RBG",
    "ActorOutput",
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
    "SPSAEstimator",
    "Shuffled",
    "StraightThroughEstimator",
    "TwinCritic",
    "ZeroEstimator",
    "Zeros",
    "frozen_copy",
    "mlp",
    "polyak_",
    "tangent_action",
]
