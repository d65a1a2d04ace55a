"""Rows that functions of a table are compared on: its own, or else such as its training rows.

Shapes: `N` rows, `D` input columns.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from qtrl.config.instantiate import blamed, construct_task
from qtrl.errors import QtrlError
from qtrl.nn import Standardize
from qtrl.run.saved_run import SavedRun


def table_rows(run: SavedRun) -> Tensor | None:
    """Return all rows (N, D) of the table that a model was trained on; None where that cannot be had here."""
    try:
        with blamed(run.run_dir / "config.yaml"):
            task: Any = construct_task(run.cfg)
            if task.table.fingerprint != run.checkpoint.get("fingerprint"):
                return None
            parts = (task.split.train, task.split.validation, task.split.test)
            return torch.cat([part.inputs for part in parts])
    except QtrlError:
        return None


def draw_rows(rows: Tensor | None, scale: Standardize, *, count: int, seed: int) -> tuple[Tensor, str]:
    """Draw rows (N, D), N at most `count`, float32, and say in words where they come from.

    Args:
        rows: Of the table (N, D); None where that is not there.
        scale: Of its training rows.
        count: How many are wanted.
        seed: Of the draw.
    """
    generator = np.random.default_rng(seed)
    if rows is not None:
        chosen = generator.choice(len(rows), min(len(rows), count), replace=False)
        return rows[torch.from_numpy(chosen)], "the table"
    drawn = torch.from_numpy(generator.standard_normal((count, len(scale.mean))))
    spread = drawn * scale.std.double() + scale.mean.double()
    return spread.float(), "a normal distribution with mean and deviation of the training rows, for want of the table"
