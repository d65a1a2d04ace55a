"""Fixed statistics of a table's training rows, which travel with the model that was trained on them."""

import torch
from torch import Tensor, nn


class Standardize(nn.Module):
    """Subtract means and divide by standard deviations; a column that never changes becomes 0.

    Args:
        rows: Numbers (N, D), or (N,) for one column, of which the statistics are taken.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        rows = rows.double()
        std, mean = torch.std_mean(rows, dim=0, correction=0)
        self.register_buffer("mean", mean.float())
        self.register_buffer("std", torch.where(std > 1e-12 * (1 + mean.abs()), std, 1.0).float())

    def forward(self, values: Tensor) -> Tensor:
        """Return standardized values, of the shape that came."""
        return (values - self.mean) / self.std

    def undo(self, values: Tensor) -> Tensor:
        """Return values in the units that the rows were in."""
        return values * self.std + self.mean
