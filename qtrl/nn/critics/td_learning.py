"""What critics learn from and what comes out, where they have a loss of their own. Shapes: `B` rows."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class TDRows:
    """A minibatch as critics learn from it.

    Attributes:
        observation: Shape (B, O).
        action: What was done there, shape (B, A).
        reward: Shape (B,); for rows that span several steps their discounted sum.
        terminated: Whether the next state is terminal, boolean, shape (B,).
        next_observation: Shape (B, O).
        next_action: The target actor's smoothed action there, shape (B, A), without a graph.
        gamma: Discount; for rows that span several steps one each, shape (B,).
        weight: Importance weight of each row, shape (B,); None where all count alike.
    """

    observation: Tensor
    action: Tensor
    reward: Tensor
    terminated: Tensor
    next_observation: Tensor
    next_action: Tensor
    gamma: float | Tensor
    weight: Tensor | None = None


@dataclass(frozen=True)
class TDLoss:
    """How far critics are from their target.

    Attributes:
        loss: A scalar with its graph, summed over both critics.
        q1: The first critic's values of the actions that were done, shape (B,), without a graph.
        q2: Those of the second.
        target: What both should be, shape (B,).
    """

    loss: Tensor
    q1: Tensor
    q2: Tensor
    target: Tensor
