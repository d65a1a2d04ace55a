"""Blocks without a circuit: the paper's ablations, and trained controls."""

import torch
from torch import Tensor, nn

from qtrl.nn.blocks.base import Block, drawing_from
from qtrl.nn.sizes import check_sizes
from qtrl.surrogate import QtDNN, default_hidden


class Zeros(Block):
    """The constant 0: the actor is left with its classical links."""

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return zeros."""
        return q_in.new_zeros(len(q_in), self.n_out)


class RBG(Block):
    """A random bit generator: fair, independent bits whatever the input, and no gradient.

    With a surrogate the gradient is the surrogate's, whose best answer is 0.5 everywhere.
    """

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw fair bits."""
        shape, source = (len(q_in), self.n_out), drawing_from(generator, self)
        return torch.randint(2, shape, generator=source, device=q_in.device, dtype=q_in.dtype)

    def mean(self, q_in: Tensor) -> Tensor:
        """Return 0.5 everywhere."""
        return q_in.new_full((len(q_in), self.n_out), 0.5)


class FC(Block):
    """A linear map with bias, trained by its own gradient together with the rest of the actor."""

    gives_probabilities, has_own_gradient = False, True

    def __init__(self, n_in: int, n_out: int, *, surrogate: bool = False) -> None:
        super().__init__(n_in, n_out, surrogate=surrogate)
        self.linear = nn.Linear(n_in, n_out)

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the linear map of `q_in`, with its gradient."""
        return self.linear(q_in)


class FCMatched(Block):
    """A network of the qtDNN's shape and size whose probabilities are the output, trained by its own gradient.

    With it the actor may learn whatever a qtDNN can represent, with as many parameters and without a circuit to follow.
    `hidden` is the width of the hidden layer; None takes the qtDNN's.
    """

    has_own_gradient = True

    def __init__(self, n_in: int, n_out: int, *, hidden: int | None = None, surrogate: bool = False) -> None:
        super().__init__(n_in, n_out, surrogate=surrogate)
        self.net = QtDNN(n_in, default_hidden(n_out) if hidden is None else hidden, n_out)

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return probabilities, with their gradient."""
        return torch.sigmoid(self.net(q_in))


class Bernoulli(Block):
    """A linear map to the logits of independent bits, of which `shots` draws are averaged, as of a circuit's shots.

    The draws are forward, the gradient is that of the probabilities (straight-through), so that the map is trained
    together with the rest of the actor. What a circuit can do beyond it needs correlations between its bits, or
    probabilities that are no logistic function of the inputs.

    Source: the straight-through estimator is that of Bengio et al., arXiv:1308.3432.
    """

    has_own_gradient = True

    def __init__(self, n_in: int, n_out: int, *, shots: int = 100, surrogate: bool = False) -> None:
        super().__init__(n_in, n_out, surrogate=surrogate)
        check_sizes("Bernoulli", shots=shots)
        self.linear = nn.Linear(n_in, n_out)
        self.shots = shots

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw the mean of `shots` bits each, with the gradient of their probabilities."""
        probabilities, source = torch.sigmoid(self.linear(q_in)), drawing_from(generator, self)
        with torch.no_grad():
            ones = torch.binomial(torch.full_like(probabilities, self.shots), probabilities, generator=source)
            noise = ones / self.shots - probabilities
        return probabilities + noise

    @torch.no_grad()
    def mean(self, q_in: Tensor) -> Tensor:
        """Return the probabilities."""
        return torch.sigmoid(self.linear(q_in))
