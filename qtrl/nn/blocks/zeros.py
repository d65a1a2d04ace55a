"""Nothing, in place of the circuit."""

import torch
from torch import Tensor

from qtrl.nn.blocks.base import Block


class Zeros(Block):
    """The constant 0: the actor is left with its classical links."""

    def __init__(self, n_in: int, n_out: int, *, surrogate: bool = False) -> None:
        super().__init__(n_in, n_out, surrogate=surrogate)

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return zeros (B, n_out)."""
        return q_in.new_zeros(len(q_in), self.n_out)
