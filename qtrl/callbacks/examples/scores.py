"""What predictions are worth, as pure functions of outputs and targets.

Shapes: `N` rows, `C` classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

BINS = 10
"""Of equal width, for the calibration error."""


@dataclass(frozen=True)
class Scores:
    """Of one part of a table.

    Attributes:
        values: By the names of `qtrl.keys.SCORES`: `loss` (nats, or the squared error of standardized numbers), and
            `accuracy` and `calibration_error` of classes, or `r2` and `rmse` (in the target's units) of numbers.
        correct: Of each row, 1 or 0 for a class that is right or not; of numbers minus the squared error.
        details: `confusion_matrix`, rows by true class, and `calibration` of each bin that has rows; else empty.
    """

    values: Mapping[str, float]
    correct: Sequence[float] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


def score(outputs: Tensor, targets: Tensor, *, scale: Any = None) -> Scores:
    """Compare outputs with targets.

    Args:
        outputs: Logits (N, C), or standardized numbers (N, 1).
        targets: Classes (N,), or numbers (N,) in their own units.
        scale: The targets' `Standardize` in a regression; None for classes.
    """
    return _of_classes(outputs.double(), targets) if scale is None else _of_numbers(outputs, targets, scale)


def _of_classes(logits: Tensor, targets: Tensor) -> Scores:
    """Return accuracy, cross-entropy and the expected calibration error (arXiv:1706.04599, equation 3)."""
    confidence, predicted = logits.softmax(dim=1).max(dim=1)
    right = (predicted == targets).double()
    number = logits.shape[1]
    confusion = torch.bincount(targets * number + predicted, minlength=number**2).view(number, number)
    place = (confidence * BINS).ceil().long().clamp(1, BINS) - 1
    bins = []
    for index in place.unique().tolist():
        chosen = place == index
        means = [values[chosen].mean().item() for values in (confidence, right)]
        bins.append({"confidence": means[0], "accuracy": means[1], "rows": int(chosen.sum())})
    error = sum(b["rows"] * abs(b["confidence"] - b["accuracy"]) for b in bins) / len(targets)
    values = {
        "loss": F.cross_entropy(logits, targets).item(),
        "accuracy": right.mean().item(),
        "calibration_error": error,
    }
    return Scores(values, right.tolist(), {"confusion_matrix": confusion.tolist(), "calibration": bins})


def _of_numbers(outputs: Tensor, targets: Tensor, scale: Any) -> Scores:
    """Return the share of the targets' variance that is predicted, and the root mean squared error."""
    squared = (scale.undo(outputs.squeeze(-1)).double() - targets.double()).square()
    variance = (targets.double() - targets.double().mean()).square().mean()
    values = {
        "loss": F.mse_loss(outputs.squeeze(-1), scale(targets)).item(),
        "r2": (1 - squared.mean() / variance).item() if variance > 0 else 0.0,
        "rmse": squared.mean().sqrt().item(),
    }
    return Scores(values, (-squared).tolist())
