"""Carry a surrogate's gradient into autograd."""

from torch import Tensor, nn

from qtrl.errors import ConfigError, ShapeError

VALUES = ("surrogate", "block")
"""What the bridge returns: the surrogate's own value, or the block's value with the surrogate's gradient."""


def bridge(q_in: Tensor, net: nn.Module, value: str = "surrogate", block_out: Tensor | None = None) -> Tensor:
    """Return a value (B, n_out) in [0, 1] whose gradient to `q_in` is that of `sigmoid(net(q_in))`.

    Freeze `net` with `requires_grad_(False)` where its parameters must not receive a gradient.

    Args:
        q_in: Inputs of the block, shape (B, n_in).
        net: Returns logits (B, n_out).
        value: One of `VALUES`. With `block` the result equals `block_out` exactly.
        block_out: What the block itself returned for `q_in`, shape (B, n_out); read with `block` only, and detached.

    Raises:
        ConfigError: `value` is unknown, or `block` was asked for without `block_out`.
        ShapeError: `block_out` does not have the shape of the logits.
    """
    if value not in VALUES:
        raise ConfigError(f"bridge: value is {value!r}, expected one of {', '.join(VALUES)}")
    probabilities = net(q_in).sigmoid()
    if value == "surrogate":
        return probabilities
    if block_out is None:
        raise ConfigError("bridge: value 'block' needs block_out, the block's own output for q_in")
    if block_out.shape != probabilities.shape:
        raise ShapeError(f"bridge: block_out has shape {tuple(block_out.shape)}, expected {tuple(probabilities.shape)}")
    return block_out.detach() + (probabilities - probabilities.detach())
