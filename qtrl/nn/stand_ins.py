"""Blocks that replace a trained agent's block, to see what the agent makes of it.

Shapes: `B` batch, `N` recorded rows, `P` inputs of the block, `Q` its outputs.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from qtrl.errors import ConfigError
from qtrl.nn.blocks import Block, drawing_from
from qtrl.nn.gradients import GradientEstimator


@dataclass(frozen=True)
class Trained:
    """What a replacement may be made of.

    Attributes:
        block: The agent's own block.
        estimator: What was fitted to it in training.
        q_out: What the block returned in a test of the agent, (N, Q).
    """

    block: Block
    estimator: GradientEstimator
    q_out: Tensor


class FittedSurrogate(Block):
    """The probabilities of the model that was fitted to the block: what the approximate actor had in its place.

    Raises:
        ConfigError: Nothing was fitted.
    """

    def __init__(self, trained: Trained) -> None:
        super().__init__(trained.block.n_in, trained.block.n_out)
        self.estimator = trained.estimator
        with torch.no_grad():
            if self.estimator.logits(trained.q_out.new_zeros(1, self.n_in)) is None:
                raise ConfigError("no surrogate was fitted to this run's block")

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the probabilities."""
        logits = self.estimator.logits(q_in)
        assert logits is not None
        return logits.sigmoid()


class HeldAtMean(Block):
    """The mean of what the block returned, whatever the input."""

    value: Tensor

    def __init__(self, trained: Trained) -> None:
        super().__init__(trained.block.n_in, trained.block.n_out)
        self.register_buffer("value", trained.q_out.mean(dim=0))

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the mean for each row."""
        return self.value.to(q_in.dtype).expand(len(q_in), -1)


class OtherStates(Block):
    """What the block returned for another state, drawn anew at each call.

    The outputs keep their joint distribution over states, and say nothing of the state that they are given for.
    """

    q_out: Tensor

    def __init__(self, trained: Trained) -> None:
        super().__init__(trained.block.n_in, trained.block.n_out)
        self.register_buffer("q_out", trained.q_out)

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw B of the recorded rows."""
        source = drawing_from(generator, self)
        rows = torch.randint(len(self.q_out), (len(q_in),), generator=source, device=q_in.device)
        return self.q_out[rows].to(q_in.dtype)

    def mean(self, q_in: Tensor) -> Tensor:
        """Return the mean of the recorded rows for each row."""
        return self.q_out.mean(dim=0).to(q_in.dtype).expand(len(q_in), -1)
