"""Rows of a table as a user has them, an array or a data frame, to the float32 array that a model takes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from qtrl.errors import DataError, ShapeError

Array = np.ndarray[Any, np.dtype[Any]]
MOST_NAMED = 5


def as_rows(rows: Any, columns: Sequence[str]) -> Array:
    """Return finite float32 numbers (N, D).

    Args:
        rows: An array (N, D) or what NumPy makes one of, or a pandas DataFrame with these columns in any order.
        columns: Names of the D columns.

    Raises:
        ShapeError: It is no array of numbers, or has another shape.
        DataError: A value is missing, infinite or beyond float32, or the data frame has other columns.
    """
    values = _of_frame(rows, columns) if hasattr(rows, "columns") else _of_array(rows, len(columns))
    with np.errstate(over="ignore"):
        numbers = values.astype(np.float32)
    finite = np.isfinite(numbers)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        told = f"row {row} has {values[row, column]} in column {columns[column]!r}"
        raise DataError(f"{told}, expected finite numbers below 3e38: fill it in, or leave the row out")
    return numbers


def _of_array(rows: Any, width: int) -> Array:
    if hasattr(rows, "detach"):  # a tensor, which may need a gradient or be on a GPU
        rows = rows.detach().cpu()
    try:
        values = np.asarray(rows)
    except ValueError:  # rows of unlike length
        values = np.asarray(None)
    if values.dtype.kind not in "fiub":
        raise ShapeError(
            f"rows are a {type(rows).__name__} of {values.dtype}, expected an array of numbers (N, {width})"
        )
    if values.ndim != 2 or values.shape[1] != width:
        raise ShapeError(f"rows have shape {values.shape}, expected (N, {width}): one row is (1, {width})")
    return values


def _of_frame(frame: Any, columns: Sequence[str]) -> Array:
    found = list(frame.columns)
    doubled = [name for name in columns if found.count(name) > 1]
    wanted, had = set(columns), set(found)
    for told, names in (
        ("lacks", [name for name in columns if name not in had]),
        ("has more than", [name for name in found if name not in wanted]),
        ("has twice", doubled),
    ):
        if names:
            more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            shown = ", ".join(f"{name!r:.60}" for name in names[:MOST_NAMED])
            raise DataError(f"the data frame {told} the column {shown}{more}: expected the {len(columns)} of the table")
    return np.stack([_column(frame[name], name) for name in columns], axis=1)


def _column(column: Any, name: str) -> Array:
    try:
        return column.to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise DataError(f"column {name!r} holds {column.dtype} values that are no numbers: {error}") from error
