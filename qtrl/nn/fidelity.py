"""What an actor makes of its block, and how good a gradient through it is.

Shapes: `B` batch, `A` action, `P` inputs of a block, `Q` its outputs.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor


def agreement(estimate: Iterable[Tensor], exact: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Compare two gradients, each given in parts.

    Args:
        estimate: Parts of any shapes.
        exact: Parts of the same shapes.

    Returns:
        The cosine of the angle between them, NaN where one is 0, and the norm of the estimate in units of the exact
        one's, not finite where that is 0.
    """
    one, other = (torch.cat([part.flatten() for part in parts]) for parts in (estimate, exact))
    return one @ other / (one.norm() * other.norm()), one.norm() / other.norm()


def jacobian(function: Callable[[Tensor], Tensor], q_in: Tensor) -> Tensor:
    """Return the Jacobian (Q, B, P) of a function of each row by itself, from (B, P) to (B, Q), at q_in (B, P)."""
    with torch.enable_grad():
        q_in = q_in.detach().requires_grad_()
        outputs = function(q_in).sum(dim=0)
        rows = [torch.autograd.grad(output, q_in, retain_graph=True)[0] for output in outputs]
    return torch.stack(rows)


def signal_to_noise(means: Tensor, draws: Tensor) -> Tensor:
    """Return how far outputs follow the state, in units of how far they scatter about their mean in one state.

    Args:
        means: Exact means of a block's outputs for several states, (B, Q).
        draws: What it returned for them, (B, Q).

    Returns:
        A scalar: the root mean square over outputs of their deviation over states, divided by that of the scatter. Not
        finite where nothing scatters.
    """
    return (_variance(means) / (draws - means).square().mean(dim=0).sum()).sqrt()


def explained_share(action: Tensor, without: Tensor) -> Tensor:
    """Return the share of the actions' variance that goes when an input is held at its mean.

    Variances are over the batch and summed over the entries of an action.

    Args:
        action: (B, A).
        without: The actions for the same rows with the input held, (B, A).

    Returns:
        A scalar: 1 where the action follows this input alone, 0 where it does not follow it, below 0 where the
        input cancels variance that the others bring. Not finite where the actions do not vary.
    """
    return 1 - _variance(without) / _variance(action)


def relative_change(action: Tensor, changed: Tensor) -> Tensor:
    """Return the root of the mean squared change of actions, in units of their standard deviation.

    Args:
        action: (B, A).
        changed: The actions after a change, (B, A).

    Returns:
        A scalar: 0 where nothing changed, sqrt(2) where each action was replaced by that of an independent row. Not
        finite where the actions do not vary.
    """
    return ((changed - action).square().sum(dim=1).mean() / _variance(action)).sqrt()


def _variance(action: Tensor) -> Tensor:
    return action.var(dim=0, correction=0).sum()
