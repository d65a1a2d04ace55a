"""The approximate actor: the hybrid actor with an estimator in the place of its block."""

import torch
from torch import Tensor

from qtrl.nn.actor import HybridActor
from qtrl.nn.estimators import GradientEstimator


def tangent_action(
    actor: HybridActor, estimator: GradientEstimator, observation: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Return actions (B, A) in [-1, 1] for observations (B, O), differentiable in the actor's parameters.

    Args:
        actor: Gives PreDNN, PostDNN and the block.
        estimator: Stands in for the block.
        observation: Shape (B, O).
        generator: Feeds the random draws of the block, where the estimator runs it.

    Source: arXiv:2503.09119, the approximation of the actor that shares all but the quantum layers with it.
    """
    q_in, links = actor.encode(observation)
    return actor.decode(estimator(actor.block, q_in, generator), links)
