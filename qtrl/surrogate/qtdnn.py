"""The qtDNN: a small network that stands in for a circuit near the angles it was fitted on."""

import torch
from torch import Tensor, nn

from qtrl.errors import ConfigError, ShapeError


def default_hidden(n_out: int) -> int:
    """Return the width of a qtDNN's hidden layer for a block with `n_out` outputs: the paper's 2048 for 10."""
    return int(min(2048, 2 ** (n_out + 1)))


class QtDNN(nn.Module):
    """Map angles to one logit for each output of the block, through one hidden layer and, if asked for, a linear path.

    It is a tangent of the block, good around the last fitted angles, and not a model of it everywhere; overfitting
    a minibatch is wanted. Take `sigmoid` of the logits, or `bridge`, for probabilities.

    The paper has `n_in` 220 angles, `hidden` 2048 units and `n_out` 10 outputs. A size below 1 is a `ConfigError`.

    Args:
        n_in: Angles.
        hidden: Units of the hidden layer.
        n_out: Outputs.
        linear: Whether a linear map of the angles, which begins at 0, is added to what the hidden layer gives.

    Attributes:
        center: Angles (n_in,) that count as 0; not saved.
    """

    center: Tensor

    def __init__(self, n_in: int, hidden: int, n_out: int, *, linear: bool = False) -> None:
        super().__init__()
        for name, size in (("n_in", n_in), ("hidden", hidden), ("n_out", n_out)):
            if not isinstance(size, int) or size < 1:
                raise ConfigError(f"QtDNN: {name} is {size}, expected a whole number of at least 1")
        self.n_in, self.n_out = n_in, n_out
        activation = nn.LeakyReLU(0.01, inplace=True)
        self.layers = nn.Sequential(nn.Linear(n_in, hidden), activation, nn.Linear(hidden, n_out))
        self.linear = nn.Linear(n_in, n_out, bias=False) if linear else None
        if self.linear is not None:
            nn.init.zeros_(self.linear.weight)
        self.register_buffer("center", torch.zeros(n_in), persistent=False)

    def forward(self, q_in: Tensor) -> Tensor:
        """Return logits (B, n_out) for angles (B, n_in); a last axis of another length is a `ShapeError`."""
        if q_in.shape[-1] != self.n_in:
            raise ShapeError(f"QtDNN: q_in has shape {tuple(q_in.shape)}, expected (B, {self.n_in})")
        centered = q_in - self.center
        logits: Tensor = self.layers(centered)
        return logits if self.linear is None else logits + self.linear(centered)
