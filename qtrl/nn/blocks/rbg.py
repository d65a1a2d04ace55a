"""Noise without structure, in place of the circuit."""

import torch
from torch import Tensor

from qtrl.errors import ConfigError
from qtrl.nn.blocks.base import Block


class RBG(Block):
    """A random bit generator: fair, independent bits whatever the input, and no gradient.

    With a surrogate the gradient is the surrogate's, whose best answer is 0.5 everywhere.
    """

    def __init__(self, n_in: int, n_out: int, *, surrogate: bool = False) -> None:
        super().__init__(n_in, n_out, surrogate=surrogate)

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw (B, n_out) fair bits; see `Block` for the generator."""
        if generator is None:
            raise ConfigError("RBG: generator is None, but the bits need a torch.Generator on the device of q_in")
        shape = (len(q_in), self.n_out)
        return torch.randint(2, shape, generator=generator, device=q_in.device, dtype=q_in.dtype)

    def mean(self, q_in: Tensor) -> Tensor:
        """Return 0.5 everywhere."""
        return q_in.new_full((len(q_in), self.n_out), 0.5)
