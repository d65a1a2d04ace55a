"""Predictions of a trained model with its real blocks, and the tables that keep them."""

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from qtrl.files.atomic import write_csv
from qtrl.nn import predict_rows
from qtrl.seeding import seed_for

GRID = 61
"""Points on each side of a decision surface."""


def predict(module: Any, inputs: Tensor, *, seed: int) -> Tensor:
    """Return a model's outputs (N, O) for rows (N, D), with its real blocks and without keeping pairs.

    Args:
        module: The `HDQNN`, on its own device.
        inputs: Rows of the table, on the CPU.
        seed: Seeds the blocks' random draws, so that a test can be repeated.
    """
    device = next(module.parameters()).device
    generator = torch.Generator(device).manual_seed(seed_for(seed, "test"))
    return predict_rows(module, inputs, generator)


def scale_of(module: Any) -> Any:
    """Return what standardizes the targets of a regression, on the CPU; None for classes."""
    return None if module.targets is None else copy.deepcopy(module.targets).cpu()


def write_predictions(path: Path, outputs: Tensor, part: Any, table: Any, scale: Any) -> None:
    """Write one row for each row of a part: its number in the table, the target, the prediction, probabilities."""
    if table.classes:
        probabilities = outputs.softmax(dim=1)
        header = ["row", table.target, "predicted", *(f"p({name})" for name in table.classes)]
        rows = [
            [row, table.classes[target], table.classes[int(p.argmax())], *(f"{value:.6f}" for value in p.tolist())]
            for row, target, p in zip(part.rows.tolist(), part.targets.tolist(), probabilities, strict=True)
        ]
    else:
        header = ["row", table.target, "predicted"]
        predicted = scale.undo(outputs.squeeze(-1)).tolist()
        rows = [list(values) for values in zip(part.rows.tolist(), part.targets.tolist(), predicted, strict=True)]
    write_csv(path, [header, *rows])


def write_surface(path: Path, module: Any, table: Any, *, seed: int) -> None:
    """Write what a model of two inputs predicts on a grid around the table: x, y, and the last class's probability."""
    inputs = torch.from_numpy(table.inputs)
    low, high = inputs.amin(dim=0), inputs.amax(dim=0)
    margin = 0.1 * (high - low)
    axes = [torch.linspace(float(a), float(b), GRID) for a, b in zip(low - margin, high + margin, strict=True)]
    grid = torch.cartesian_prod(*axes)
    outputs = predict(module, grid, seed=seed)
    values = outputs.softmax(dim=1)[:, -1] if table.classes else scale_of(module).undo(outputs.squeeze(-1))
    rows = torch.cat([grid, values[:, None]], dim=1).tolist()
    write_csv(path, [[*table.columns, "predicted"], *rows])
