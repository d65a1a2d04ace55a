"""A circuit whose outputs lose their places."""

import torch
from torch import Tensor

from qtrl.errors import ConfigError
from qtrl.nn.blocks.pqc import PQC


class Shuffled(PQC):
    """Run the circuit, then put the outputs of each row in a random order, drawn anew at every call.

    The values are the circuit's own, and as random; which qubit said what is lost. How many ones there are is left.
    It takes the arguments of `PQC`.
    """

    returns_readout = False

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Read (B, n_out) values in [0, 1] out of the circuit, in random order."""
        if generator is None:
            raise ConfigError("Shuffled: generator is None, but orders need a torch.Generator on the device of q_in")
        q_out = super().forward(q_in, generator)
        keys = torch.rand(q_out.shape, generator=generator, device=q_out.device)
        return q_out.gather(1, keys.argsort(dim=1))

    def mean(self, q_in: Tensor) -> Tensor:
        """Return the exact mean over draws and orders, (B, n_out): the same for every output of a row."""
        means = super().mean(q_in)
        return means.mean(dim=1, keepdim=True).expand_as(means)
