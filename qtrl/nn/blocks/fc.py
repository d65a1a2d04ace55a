"""The trainable classical counterpart of the circuit."""

import torch
from torch import Tensor, nn

from qtrl.errors import ConfigError
from qtrl.nn.blocks.base import Block


class FC(Block):
    """A linear map with bias, trained by its own gradient together with the rest of the actor.

    Raises:
        ConfigError: `surrogate` was asked for. The outputs are no probabilities, so cross-entropy has no minimum on
            them, and the map itself would no longer be trained.
    """

    gives_probabilities = False

    def __init__(self, n_in: int, n_out: int, *, surrogate: bool = False) -> None:
        super().__init__(n_in, n_out, surrogate=surrogate)
        if surrogate:
            raise ConfigError("FC: surrogate is true, but fc has its own gradient; set block.surrogate=false")
        self.linear = nn.Linear(n_in, n_out)

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the linear map of `q_in`, with its gradient."""
        return self.linear(q_in)
