"""The mathematics of TD3 (arXiv:1802.09477) as pure functions.

Shapes: `B` batch, `A` action. Actions are in [-1, 1]; the environment's own bounds are applied where it is made.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SATURATED = 0.99
"""Magnitude of an action beyond which the actor's tanh passes less than 2 % of a gradient."""


def smoothed_action(action: Tensor, noise: Tensor, clip: float) -> Tensor:
    """Smooth a target action: add clipped noise, clamp the sum (algorithm 1, line 7).

    Args:
        action: Target actions, shape (B, A).
        noise: Gaussian noise with the target noise's standard deviation, shape (B, A).
        clip: Largest magnitude of the noise.

    Returns:
        Actions in [-1, 1], shape (B, A).
    """
    return (action + noise.clamp(-clip, clip)).clamp(-1.0, 1.0)


def td_target(reward: Tensor, terminated: Tensor, q1: Tensor, q2: Tensor, gamma: float | Tensor) -> Tensor:
    """Bootstrap from the smaller of two target values, through time limits but not through termination (line 8).

    Args:
        reward: Rewards, shape (B,).
        terminated: Whether the next state is terminal, boolean, shape (B,); an episode cut by a time limit is not.
        q1: First target critic's value of the next state, shape (B,).
        q2: Second target critic's value, shape (B,).
        gamma: Discount in [0, 1]; for rows that span several steps one each, shape (B,).

    Returns:
        Target values, shape (B,).
    """
    return reward + gamma * (~terminated).to(reward.dtype) * torch.minimum(q1, q2)


def critic_loss(q1: Tensor, q2: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Sum the mean squared errors of both critics (line 9); all shapes (B,), returns a scalar.

    A weight for each row undoes the bias of prioritized sampling (arXiv:1511.05952, section 3.4).
    """
    if weight is not None:
        return (weight * ((q1 - target).square() + (q2 - target).square())).mean()
    return F.mse_loss(q1, target) + F.mse_loss(q2, target)


def actor_loss(q1: Tensor) -> Tensor:
    """Negate the first critic's mean value of the actor's actions (line 12); shape (B,), returns a scalar."""
    return -q1.mean()


def angle_penalty(squared_displacement: Tensor, q1: Tensor, weight: float) -> Tensor:
    """Return what angles far from the base point cost: a scalar in the units of values.

    Args:
        squared_displacement: Mean over rows of the squared distance, in rad²; a scalar.
        q1: First critic's values, shape (B,), whose mean magnitude sets the scale; no gradient passes through them.
        weight: Cost of 1 rad², as a fraction of that magnitude.
    """
    return weight * q1.detach().abs().mean() * squared_displacement


def preactivation_penalty(unbounded: Tensor, q1: Tensor, weight: float) -> Tensor:
    """Return what it costs to drive the actor's tanh into saturation, where it passes no gradient: a scalar.

    Args:
        unbounded: What tanh makes the actions of, shape (B, A).
        q1: First critic's values, shape (B,), whose mean magnitude sets the scale; no gradient passes through them.
        weight: Cost of a mean square of 1, as a fraction of that magnitude.

    Source: MR.Q, arXiv:2501.16142, which scales rewards instead.
    """
    return weight * q1.detach().abs().mean() * unbounded.square().mean()


def saturated_share(action: Tensor) -> Tensor:
    """Return the share of the entries of actions (B, A) whose magnitude is above `SATURATED`: a scalar."""
    return (action.abs() > SATURATED).float().mean()
