"""Training, validation and test rows of a table.

Shapes: `N` rows, `D` input columns.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from qtrl.data.tables.bundled import required
from qtrl.data.tables.table import Table
from qtrl.errors import DataError


@dataclass(frozen=True)
class Part:
    """Rows of one part: inputs (N, D), and targets (N,), classes or numbers; `rows` (N,) are their numbers."""

    inputs: Tensor
    targets: Tensor
    rows: Tensor

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Split:
    """The three parts of a table.

    Attributes:
        train: What is learned from.
        validation: What the run is watched by, and its best checkpoint chosen.
        test: What nothing is chosen by.
    """

    train: Part
    validation: Part
    test: Part


def split_table(table: Table, *, validation: float, test: float, seed: int) -> Split:
    """Split a table at random, with equal shares of each class in each part.

    Missing values become the mean of the training rows.

    Args:
        table: The table.
        validation: Share of all rows, above 0.
        test: Share of all rows, above 0.
        seed: Of the split; equal in runs that are compared.

    Raises:
        DataError: A share leaves a part, or a class in it, without rows.
    """
    if not (validation > 0 and test > 0 and validation + test < 1):
        shares = f"data.validation_share={validation} and data.test_share={test}"
        raise DataError(f"{shares} are not allowed: each above 0, together below 1")
    selection = required("sklearn.model_selection", "scikit-learn")
    rows = np.arange(len(table.targets))

    def cut(kept: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
        strata = table.targets[kept] if table.classes else None
        return selection.train_test_split(kept, test_size=share, random_state=seed, stratify=strata)

    try:
        rest, tested = cut(rows, test)
        train, watched = cut(rest, validation / (1 - test))
    except ValueError as error:
        told = f"{table.name}: {len(rows):,} rows cannot be split: {str(error).splitlines()[0]}"
        raise DataError(f"{told} Give more rows, or larger data.validation_share and data.test_share") from error
    _check_classes(table, train)
    inputs = _filled(table, train)
    return Split(*(_part(inputs, table.targets, np.sort(chosen)) for chosen in (train, watched, tested)))


def _filled(table: Table, train: np.ndarray) -> np.ndarray:
    """Return the inputs with the mean of a column's training rows for its missing values."""
    missing = np.isnan(table.inputs)
    if not missing.any():
        return table.inputs
    for column, empty in zip(table.columns, missing[train].all(axis=0), strict=True):
        if empty:
            leave_out = f"leave it out by dataset.drop=[{column}]"
            raise DataError(f"{table.name}: column {column!r} has no value in any training row: {leave_out}")
    return np.where(missing, np.nanmean(table.inputs[train], axis=0), table.inputs)


def _check_classes(table: Table, train: np.ndarray) -> None:
    """Refuse a split that asks for labels which training never sees."""
    unseen = set(range(len(table.classes))) - set(table.targets[train].tolist())
    if unseen:
        label = table.classes[min(unseen)]
        raise DataError(f"{table.name}: no training row has the label {label!r}: give more rows of it, or drop it")


def _part(inputs: np.ndarray, targets: np.ndarray, rows: np.ndarray) -> Part:
    arrays: list[Any] = [inputs[rows].astype(np.float32), targets[rows], rows]
    return Part(*(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays))
