"""The surrogate's own network, in place of the circuit."""

import torch
from torch import Tensor

from qtrl.errors import ConfigError
from qtrl.nn.blocks.base import Block
from qtrl.surrogate import QtDNN, default_hidden


class FCMatched(Block):
    """A network of the qtDNN's shape and size whose probabilities are the output, trained by its own gradient.

    With it the actor may learn whatever a qtDNN can represent, with as many parameters and without a circuit to follow.

    Args:
        n_in: Length of an input.
        n_out: Length of an output.
        hidden: Width of the hidden layer; None takes the qtDNN's.

    Raises:
        ConfigError: A size is below 1, or a surrogate was asked for: the network itself would no longer be trained.
    """

    def __init__(self, n_in: int, n_out: int, *, hidden: int | None = None, surrogate: bool = False) -> None:
        super().__init__(n_in, n_out, surrogate=surrogate)
        if surrogate:
            raise ConfigError(
                "FCMatched: surrogate is true, but fc_matched has its own gradient; set block.surrogate=false"
            )
        self.net = QtDNN(n_in, default_hidden(n_out) if hidden is None else hidden, n_out)

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return probabilities (B, n_out), with their gradient."""
        return torch.sigmoid(self.net(q_in))
