"""The contract of a gradient estimator."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from qtrl.errors import ConfigError
from qtrl.meters import Cost
from qtrl.nn.blocks import Block
from qtrl.quantum import Executable
from qtrl.surrogate import FitResult

PAIRS = ("stored", "recent", "fresh", "mixed")
"""Where the pairs of a fit come from: the minibatch; the newest rows of the replay; runs of the block for the
observations of the minibatch, with the current weights; the first and the third together."""


class GradientEstimator(nn.Module, ABC):
    """Replace a block where a gradient to its inputs is needed.

    The block is handed to each call and never kept, so an estimator's parameters are its own alone.

    Args:
        n_in: Inputs of the block.
        n_out: Outputs of the block.

    Attributes:
        pairs: Which pairs `fit` wants, one of `PAIRS`.
        fit_every_updates: Updates from one `fit` to the next.
        window: Newest rows of the replay that `recent` pairs are drawn from; 0 where none are wanted.
        fresh_rows: Rows of the minibatch that the block is run for where fresh pairs are wanted; None for all.
        fresh_noise: Standard deviation of the noise on the inputs of these runs.
    """

    pairs: str = "stored"
    fit_every_updates: int = 1
    window: int = 0
    fresh_rows: int | None = None
    fresh_noise: float = 0.0

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()

    def check(self, block: Block) -> None:
        """Refuse a block that this estimator cannot replace, before a run begins.

        Raises:
            QtrlError: With what the block lacks and what to set.
        """

    @abstractmethod
    def forward(self, block: Block, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return q_out (B, n_out) for q_in (B, n_in), with the estimated gradient to `q_in`.

        Args:
            block: The block that is replaced; run only where the estimator needs its value.
            q_in: Shape (B, n_in).
            generator: Source of random draws, those of a backward pass included.
        """

    def fit(
        self,
        q_in: Tensor,
        q_out: Tensor,
        *,
        optimizer: Optimizer,
        generator: torch.Generator | None = None,
        backward: Callable[[Tensor], object] | None = None,
    ) -> FitResult | None:
        """Learn from recorded pairs, q_in (B, n_in) and q_out (B, n_out); None where there is nothing to learn.

        Args:
            q_in: What the block received.
            q_out: What it returned.
            optimizer: Holds this estimator's parameters; others of it get no gradient here, and do not move.
            generator: Source of shuffles, on the pairs' device.
            backward: Called with each loss in place of `loss.backward()`.
        """
        return None

    @property
    def trainable(self) -> bool:
        """Whether there are parameters to fit, held fixed at the moment or not."""
        return any(True for _ in self.parameters())

    def logits(self, q_in: Tensor) -> Tensor | None:
        """Return the logits (B, n_out) of the model of the block that was fitted; None where there is none."""
        return None

    def cost(self, block: Block, batch: int, *, gradient: bool) -> Cost:
        """Return what one call runs on the real block and its circuit: one run of the block, unless overridden.

        Args:
            block: The block that is replaced.
            batch: Rows of the call.
            gradient: Whether a backward pass to `q_in` follows the forward pass, and belongs to the cost.
        """
        return block.cost(batch)


MakeEstimator = Callable[[int, int], GradientEstimator]
"""Makes an estimator from the block's numbers of inputs and outputs."""


class Direct(GradientEstimator):
    """Run the block and let autograd do what it does: all for `fc`, nothing for blocks without a gradient."""

    def __init__(self) -> None:
        nn.Module.__init__(self)

    def forward(self, block: Block, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the block's own output."""
        return block(q_in, generator)


class ZeroEstimator(GradientEstimator):
    """Return what the block reads, and let no gradient through.

    PreDNN then learns by the links alone: what an estimator is worth is its distance from this one.
    """

    @torch.no_grad()
    def forward(self, block: Block, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the block's output, detached."""
        return block(q_in, generator)


def executable_of(block: Block, estimator: GradientEstimator) -> Executable:
    """Return what runs the block's circuit, for an estimator that runs it itself.

    Raises:
        ConfigError: The block has no circuit, or does not return what is read of it; says what to set.
    """
    owner, name = type(estimator).__name__, type(block).__name__
    if block.executable is None:
        raise ConfigError(
            f"{owner}: block {name} has no circuit to take a gradient of; "
            "set block=pqc, block.surrogate=false or gradient=qtdnn"
        )
    if not block.returns_readout:
        raise ConfigError(
            f"{owner}: runs the circuit itself and would miss what block {name} does to its outputs; "
            "set block=pqc, gradient=qtdnn or gradient=zero"
        )
    return block.executable
