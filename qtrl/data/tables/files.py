"""A table of the user's own: a CSV or Parquet file, judged before anything is learned of it."""

import csv
import difflib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qtrl.data.tables.bundled import required
from qtrl.data.tables.table import KINDS, Table, make_table
from qtrl.errors import DataError

LARGEST = 2**28
"""Bytes of a file: it is read into memory whole, in which it takes several times that."""
SUFFIXES = (".csv", ".parquet")
MISSING = ("refuse", "mean")
"""What may be done about missing values."""


def table_file(
    path: str | None = None,
    target: str | None = None,
    kind: str = "classification",
    *,
    drop: Sequence[str] = (),
    missing: str = "refuse",
) -> Table:
    """Read a file of which one column is to be predicted by the others, which hold numbers.

    Args:
        path: A `.csv` file with a header, or a `.parquet` file.
        target: The column to predict. Rows without it are left out.
        kind: `classification` or `regression`.
        drop: Columns that are not looked at.
        missing: `mean` puts a column's mean over the training rows in the place of missing values, `refuse` none.

    Raises:
        DataError: The file is not what it should be; names the column.
    """
    if path is None or target is None:
        hint = "dataset.path=my.csv dataset.target=COLUMN dataset.kind=classification"
        raise DataError(f"which table? dataset.{'path' if path is None else 'target'} is null: write {hint}")
    if missing not in MISSING:
        raise DataError(f"dataset.missing={missing} is unknown: choices are {', '.join(MISSING)}")
    if kind not in KINDS:
        raise DataError(f"dataset.kind={kind} is unknown: choices are {', '.join(KINDS)}")
    file = Path(str(path)).expanduser()
    frame = _read(file)
    _check_columns(file.name, list(frame.columns), target, drop)
    known = frame[target].notna().to_numpy()
    if len(frame) and not known.any():
        raise DataError(f"{file.name}: {target!r} has no value in any row")
    absent = int((~known).sum())
    frame = frame[known].drop(columns=list(drop))
    columns = [column for column in frame.columns if column != target]
    values = np.zeros((len(frame), len(columns)))
    for place, column in enumerate(columns):
        values[:, place] = _numbers(file.name, frame[column])
    return make_table(
        file.name,
        columns,
        values,
        frame[target].to_numpy(),
        kind=kind,
        target=target,
        may_lack=missing == "mean",
        notes=[f"{file.name}: {absent:,} rows without {target!r} are left out"] if absent else [],
    )


def _read(path: Path) -> Any:
    """Return the data frame of a file whose size, header and kind were looked at before."""
    try:
        if not path.is_file():
            raise DataError(f"dataset.path={path}: there is no such file")
        size = path.stat().st_size
        if path.suffix.lower() not in SUFFIXES:
            raise DataError(f"dataset.path={path} is not read: expected a file ending with {' or '.join(SUFFIXES)}")
        if size > LARGEST:
            told = f"{path} has {size:,} bytes, expected at most {LARGEST:,}"
            raise DataError(f"{told}: it is read into memory whole; take a sample of its rows")
        return _read_csv(path) if path.suffix.lower() == ".csv" else _read_parquet(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _read_csv(path: Path) -> Any:
    pandas = required("pandas", "pandas")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = next(csv.reader(file), [])
        _check_header(path, header)
        with warnings.catch_warnings():  # pandas would leave out what is beyond the header
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            frame = pandas.read_csv(path, encoding="utf-8-sig", low_memory=False, index_col=False)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text in UTF-8: save it so, or as Parquet") from error
    except pandas.errors.ParserWarning as error:
        raise DataError(f"{path} has rows with more cells than its header has names: name every column") from error
    except (csv.Error, pandas.errors.ParserError, ValueError) as error:
        raise DataError(f"{path} is no table: {str(error).strip().splitlines()[0]}") from error
    return frame


def _read_parquet(path: Path) -> Any:
    parquet, arrow = required("pyarrow.parquet", "pyarrow"), required("pyarrow", "pyarrow")
    try:
        _check_header(path, parquet.read_schema(path).names)
        return parquet.read_table(path).to_pandas()
    except arrow.ArrowException as error:
        raise DataError(f"{path} is no Parquet file: {str(error).strip().splitlines()[0]}") from error


def _check_header(path: Path, header: Sequence[str]) -> None:
    if not header:
        raise DataError(f"{path} is empty: expected a header and rows")
    if doubled := sorted({name for name in header if header.count(name) > 1}):
        raise DataError(f"{path} has the column {doubled[0]!r} twice: give each a name of its own")


def _check_columns(name: str, columns: Sequence[str], target: str, drop: Sequence[str]) -> None:
    for key, wanted in (("target", target), *(("drop", column) for column in drop)):
        if wanted not in columns:
            near = difflib.get_close_matches(str(wanted), columns, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"its columns are {', '.join(columns)[:200]}"
            raise DataError(f"dataset.{key}={wanted} is no column of {name}: {hint}")
    if target in drop:
        raise DataError(f"dataset.drop names {target!r}, which is dataset.target")


def _numbers(name: str, column: Any) -> np.ndarray:
    """Return a column as numbers, missing values as NaN."""
    pandas = required("pandas", "pandas")
    if pandas.api.types.is_bool_dtype(column.dtype) or pandas.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(dtype=float, na_value=np.nan)
    wrong = column[pandas.to_numeric(column, errors="coerce").isna() & column.notna()]
    if len(wrong) == 0 and not pandas.api.types.is_datetime64_any_dtype(column.dtype):
        return pandas.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
    first = f"{str(wrong.iloc[0])!r:.60} in row {wrong.index[0] + 1}" if len(wrong) else f"{column.dtype} values"
    hint = f"write numbers for it, or leave it out by dataset.drop=[{column.name}]"
    raise DataError(f"{name}: column {column.name!r} holds {first}, expected numbers: {hint}")
