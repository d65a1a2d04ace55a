"""The paper's estimator: a qtDNN fitted to recorded pairs."""

from typing import Any

import torch
from torch import Tensor

from qtrl.errors import ConfigError
from qtrl.meters import Cost
from qtrl.nn.blocks import Block
from qtrl.nn.gradients.base import PAIRS, GradientEstimator
from qtrl.nn.sizes import check_sizes
from qtrl.surrogate import VALUES, FitResult, QtDNN, bridge, default_hidden, fit


class QtDNNEstimator(GradientEstimator):
    """Return the qtDNN's probabilities, or the block's value with the qtDNN's gradient.

    Args:
        n_in: Inputs of the block.
        n_out: Outputs of the block.
        hidden: Width of the qtDNN's hidden layer; None takes 2 ** (n_out + 1), at most 2048, the paper's for 10 qubits.
        value: One of `qtrl.surrogate.VALUES`; `block` runs the block at every call.
        linear: Whether the qtDNN has a linear path beside its hidden layer.
        centered: Whether the qtDNN sees angles from the block's base point on.
        pairs: One of `PAIRS`.
        window: Newest rows of the replay that `recent` pairs are drawn from.
        fresh_rows: Rows of each minibatch that the block is run for, for `fresh` and `mixed` pairs; None for all.
        fresh_noise: Standard deviation, in radians, of the noise on each angle of these runs.
        fit_every_updates: Updates from one fit to the next.
        fit_batches: Parts that each minibatch of pairs is cut into, one optimizer step each.
        fit_epochs: Passes over each minibatch of pairs.

    Raises:
        ConfigError: A size is below 1, the noise below 0, or `value` or `pairs` is unknown.

    Source: arXiv:2503.09119.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        hidden: int | None = None,
        linear: bool = False,
        centered: bool = False,
        value: str = "surrogate",
        pairs: str = "stored",
        window: int = 5_000,
        fresh_rows: int | None = None,
        fresh_noise: float = 0.0,
        fit_every_updates: int = 1,
        fit_batches: int = 1,
        fit_epochs: int = 1,
    ) -> None:
        super().__init__(n_in, n_out)
        if value not in VALUES:
            raise ConfigError(f"QtDNNEstimator: value is {value!r}, expected one of {', '.join(VALUES)}")
        if pairs not in PAIRS:
            raise ConfigError(f"QtDNNEstimator: pairs is {pairs!r}, expected one of {', '.join(PAIRS)}")
        sizes = {"fit_every_updates": fit_every_updates, "fit_batches": fit_batches, "fit_epochs": fit_epochs}
        rows = {"window": window} | ({} if fresh_rows is None else {"fresh_rows": fresh_rows})
        check_sizes("QtDNNEstimator", **sizes, **rows)
        if not fresh_noise >= 0:
            raise ConfigError(f"QtDNNEstimator: fresh_noise is {fresh_noise}, expected a number of at least 0")
        self.net = QtDNN(n_in, default_hidden(n_out) if hidden is None else hidden, n_out, linear=linear)
        self.window, self.fresh_rows, self.fresh_noise = window if pairs == "recent" else 0, fresh_rows, fresh_noise
        self._centered = centered
        self.value, self.pairs, self.fit_every_updates = value, pairs, fit_every_updates
        self.fit_batches, self.fit_epochs = fit_batches, fit_epochs

    def check(self, block: Block) -> None:
        """Center the qtDNN on the block's base point; any block will do."""
        if self._centered:
            self.net.center.copy_(block.base)

    def forward(self, block: Block, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return probabilities, or the block's output in their place."""
        block_out = None
        if self.value == "block":
            with torch.no_grad():
                block_out = block(q_in, generator)
        return bridge(q_in, self.net, self.value, block_out)

    def fit(self, q_in: Tensor, q_out: Tensor, **options: Any) -> FitResult:
        """Fit the qtDNN to one minibatch of pairs."""
        return fit(self.net, q_in=q_in, q_out=q_out, batches=self.fit_batches, epochs=self.fit_epochs, **options)

    def logits(self, q_in: Tensor) -> Tensor:
        """Return the qtDNN's logits."""
        return self.net(q_in)

    def cost(self, block: Block, batch: int, *, gradient: bool) -> Cost:
        """Return the block's cost where its value is asked for; the qtDNN itself runs no circuit."""
        return block.cost(batch) if self.value == "block" else Cost()


def local_qtdnn(n_in: int, n_out: int, **options: Any) -> QtDNNEstimator:
    """Make the qtDNN of the local recipe: few units beside a linear path, around the block's base, fitted to new pairs.

    Args:
        n_in: Inputs of the block.
        n_out: Outputs of the block.
        options: Arguments of `QtDNNEstimator`, in place of those of the recipe.
    """
    recipe: dict[str, Any] = {"hidden": 128, "linear": True, "centered": True, "pairs": "recent"}
    return QtDNNEstimator(n_in, n_out, **{**recipe, **options})
