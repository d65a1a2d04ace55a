"""The contract of a gradient estimator."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from qtrl.meters import Cost
from qtrl.nn.blocks import Block
from qtrl.surrogate import FitResult

PAIRS = ("stored", "fresh")


class GradientEstimator(nn.Module, ABC):
    """Replace a block where a gradient to its inputs is needed.

    The block is handed to each call and never kept, so an estimator's parameters are its own alone.

    Attributes:
        pairs: Which pairs `fit` wants, one of `PAIRS`.
        fit_every_updates: Updates from one `fit` to the next.
    """

    pairs: str = "stored"
    fit_every_updates: int = 1

    def check(self, block: Block) -> None:
        """Refuse a block that this estimator cannot stand in for, before a run begins.

        Raises:
            QtrlError: With what the block lacks and what to set.
        """

    @abstractmethod
    def forward(self, block: Block, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return q_out (B, n_out) for q_in (B, n_in), with the estimated gradient to `q_in`.

        Args:
            block: The block that is stood in for; run only where the estimator needs its value.
            q_in: Shape (B, n_in).
            generator: Feeds the block's random draws.
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
        """Whether there are parameters to fit, frozen for the moment or not."""
        return any(True for _ in self.parameters())

    def logits(self, q_in: Tensor) -> Tensor | None:
        """Return the logits (B, n_out) of the model of the block that was fitted; None where there is none."""
        return None

    @abstractmethod
    def cost(self, block: Block, batch: int, *, gradient: bool) -> Cost:
        """Return what one call runs on the real block and its circuit.

        Args:
            block: The block that is stood in for.
            batch: Rows of the call.
            gradient: Whether a backward pass to `q_in` follows the forward pass, and belongs to the cost.
        """
