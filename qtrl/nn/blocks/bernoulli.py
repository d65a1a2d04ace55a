"""Bits whose probabilities are learned, in place of the circuit."""

import torch
from torch import Tensor, nn

from qtrl.errors import ConfigError
from qtrl.nn.blocks.base import Block
from qtrl.nn.sizes import check_sizes


class Bernoulli(Block):
    """A linear map to the logits of independent bits, of which a number of draws is averaged, as of a circuit's shots.

    The draws are forward, the gradient is that of the probabilities (straight-through), so that the map is trained
    together with the rest of the actor. What a circuit can do beyond it needs correlations between its bits, or
    probabilities that are no logistic function of the inputs.

    Args:
        n_in: Length of an input.
        n_out: Bits.
        shots: Draws that are averaged.

    Raises:
        ConfigError: `shots` is below 1, or a surrogate was asked for: the map itself would no longer be trained.

    Source: the straight-through estimator is that of Bengio et al., arXiv:1308.3432.
    """

    def __init__(self, n_in: int, n_out: int, *, shots: int = 100, surrogate: bool = False) -> None:
        super().__init__(n_in, n_out, surrogate=surrogate)
        check_sizes("Bernoulli", shots=shots)
        if surrogate:
            raise ConfigError(
                "Bernoulli: surrogate is true, but bernoulli has its own gradient; set block.surrogate=false"
            )
        self.linear = nn.Linear(n_in, n_out)
        self.shots = shots

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw the mean of `shots` bits each, (B, n_out), with the gradient of their probabilities."""
        if generator is None:
            raise ConfigError("Bernoulli: generator is None, but bits need a torch.Generator on the device of q_in")
        probabilities = torch.sigmoid(self.linear(q_in))
        with torch.no_grad():
            ones = torch.binomial(torch.full_like(probabilities, self.shots), probabilities, generator=generator)
            noise = ones / self.shots - probabilities
        return probabilities + noise

    @torch.no_grad()
    def mean(self, q_in: Tensor) -> Tensor:
        """Return the probabilities, (B, n_out)."""
        return torch.sigmoid(self.linear(q_in))
