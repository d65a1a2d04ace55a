"""A table of examples in memory, checked: finite inputs, and one target for each row.

Shapes: `N` rows, `D` input columns, `C` classes.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qtrl.errors import DataError

KINDS = ("classification", "regression")
"""What may be learned of a table."""
MOST_CLASSES = 1_000
MOST_NAMED = 5
"""Columns that an error lists."""


@dataclass(frozen=True)
class Table:
    """Examples with their targets.

    Attributes:
        name: What the table is called in results.
        columns: Names of the D input columns.
        inputs: Finite numbers (N, D), as float32; NaN where a value is missing and that was allowed.
        targets: Class of each row (N,) as int64, or in regression finite numbers (N,) as float32.
        classes: Names of the C classes in their order; empty in regression.
        target: Name of the target.
        notes: What a reader of the table should know, a line each.
    """

    name: str
    columns: tuple[str, ...]
    inputs: np.ndarray
    targets: np.ndarray
    classes: tuple[str, ...]
    target: str
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return KINDS[0] if self.classes else KINDS[1]

    @property
    def n_outputs(self) -> int:
        """Outputs of a model of it: a logit for each class, or the one number."""
        return len(self.classes) or 1

    @cached_property
    def fingerprint(self) -> str:
        """A digest of all of it, by which a run that goes on tells whether its data are the same."""
        digest = hashlib.sha256(repr((self.columns, self.classes, self.inputs.shape)).encode())
        for array in (self.inputs, self.targets):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def make_table(
    name: str,
    columns: Sequence[str],
    inputs: np.ndarray,
    labels: np.ndarray,
    *,
    kind: str,
    target: str,
    may_lack: bool = False,
    notes: Sequence[str] = (),
) -> Table:
    """Check and convert the columns of a table.

    Args:
        name: What the table is called in results.
        columns: Names of the D input columns.
        inputs: Numbers (N, D).
        labels: Class labels (N,) of any type that sorts, or in regression numbers.
        kind: One of `KINDS`.
        target: Name of the target.
        may_lack: Whether values may be missing (NaN); the split puts means of training rows in their place.
        notes: What a reader of the table should know, a line each.

    Raises:
        DataError: An input is missing or infinite, there is one class only, or targets do not fit the kind.
    """
    if kind not in KINDS:
        raise DataError(f"dataset.kind={kind} is unknown: choices are {', '.join(KINDS)}")
    if inputs.shape[1] < 1:
        raise DataError(f"{name} has no column beside {target!r}: expected at least one number to learn from")
    if not len(inputs):
        raise DataError(f"{name} has a header and no rows")
    _check_finite(name, columns, inputs, may_lack=may_lack)
    constant = [c for c, values in zip(columns, inputs.T, strict=True) if np.nanmin(values) == np.nanmax(values)]
    if constant:
        notes = [*notes, f"{name}: nothing can be learned of {_named(constant)}, which never changes"]
    targets, classes = _classes(name, labels, target) if kind == KINDS[0] else (_numbers(name, labels, target), ())
    return Table(name, tuple(columns), inputs.astype(np.float32), targets, classes, target, tuple(notes))


def _check_finite(name: str, columns: Sequence[str], inputs: np.ndarray, *, may_lack: bool) -> None:
    """Refuse what no network can read; float32 is what it will be read as."""
    missing = {c: int(np.isnan(v).sum()) for c, v in zip(columns, inputs.T, strict=True) if np.isnan(v).any()}
    if empty := [column for column, count in missing.items() if count == len(inputs)]:
        raise DataError(f"{name} has no value at all in {_named(empty)}: leave it out by dataset.drop")
    if missing and not may_lack:
        counts = ", ".join(f"{column} ({count})" for column, count in list(missing.items())[:MOST_NAMED])
        more = f" and {len(missing) - MOST_NAMED} columns more" if len(missing) > MOST_NAMED else ""
        raise DataError(f"{name} lacks values in {counts}{more}: set dataset.missing=mean, or mend the rows")
    with np.errstate(over="ignore"):
        infinite = np.asarray(np.isinf(inputs.astype(np.float32)).any(axis=0))
    if infinite.any():
        bad = [column for column, is_bad in zip(columns, infinite.tolist(), strict=True) if is_bad]
        raise DataError(f"{name} has infinite values, or some beyond 3e38, in {_named(bad)}: mend or drop them")


def _classes(name: str, labels: np.ndarray, target: str) -> tuple[np.ndarray, tuple[str, ...]]:
    found, targets, counts = np.unique(labels, return_inverse=True, return_counts=True)
    classes = tuple(_label(label) for label in found)
    if len(classes) < 2:
        raise DataError(f"{name}: {target!r} has one class only, {classes[0]!r}: expected at least two")
    if len(classes) > MOST_CLASSES:
        hint = "a number to predict needs dataset.kind=regression"
        raise DataError(f"{name}: {target!r} has {len(classes):,} classes, expected at most {MOST_CLASSES:,}; {hint}")
    if counts.min() < 3:
        rare = [label for label, count in zip(classes, counts, strict=True) if count < 3]
        told = f"{name}: fewer than 3 rows have {target!r} {_named(rare)}"
        raise DataError(f"{told}: training, validation and test need one each; a number needs dataset.kind=regression")
    return targets.astype(np.int64).reshape(-1), classes


def _label(label: object) -> str:
    return str(int(label)) if isinstance(label, float | np.floating) and float(label).is_integer() else str(label)


def _numbers(name: str, labels: np.ndarray, target: str) -> np.ndarray:
    try:
        numbers = labels.astype(np.float32)
    except (TypeError, ValueError):
        raise DataError(
            f"{name}: {target!r} holds text such as {str(labels[0])!r}: set dataset.kind=classification"
        ) from None
    if not np.isfinite(numbers).all():
        raise DataError(f"{name}: {target!r} has infinite values: mend or drop these rows")
    if np.ptp(numbers) == 0:
        raise DataError(f"{name}: {target!r} is {numbers[0]:g} in every row: there is nothing to predict")
    return numbers


def _named(columns: Sequence[str]) -> str:
    more = f" and {len(columns) - MOST_NAMED} more" if len(columns) > MOST_NAMED else ""
    return ", ".join(repr(column) for column in columns[:MOST_NAMED]) + more
