"""Minibatches in which rows come with probabilities in proportion to their weights."""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[np.float64]


class WeightedMinibatches:
    """Draws minibatches from rows, stratified over the distribution of their weights.

    The rows are put into lexicographic order first, so a minibatch depends neither on their order nor on whether a row
    is there k times or once with weight k; a row of weight 0 is never drawn.

    Args:
        x: Inputs, (N, F).
        y: Targets, (N,) or (N, K).
        weights: At least 0 each and not all 0, (N,).
        batch_size: Rows of a minibatch.
    """

    def __init__(self, x: Array, y: Array, weights: Array, batch_size: int) -> None:
        kept = weights > 0
        x, y, weights = x[kept], y[kept], weights[kept]
        order = np.lexsort(np.column_stack([x, y]).T)
        self.x = torch.from_numpy(x[order].astype(np.float32))
        self.y = torch.from_numpy(y[order])
        self._bounds = torch.from_numpy(np.cumsum(weights[order]))
        self._batch_size = batch_size
        self.per_epoch = max(1, math.ceil(max(len(x), float(self._bounds[-1])) / batch_size))

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return inputs (B, F) and targets, one row from each of B intervals of equal weight."""
        size = self._batch_size
        places = torch.arange(size) + torch.rand(size, generator=generator, dtype=torch.float64)
        rows = torch.searchsorted(self._bounds, places * (self._bounds[-1] / size), right=True)
        rows = rows.clamp_(max=len(self.x) - 1)
        return self.x[rows], self.y[rows]
