"""One run, read from the files of its folder; these are untrusted: they may be damaged, incomplete or hostile."""

import csv
import json
import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qtrl.analysis.runs.measure import EITHER, FACTS, RETURN, Measure, is_finite, last_part, measure_of
from qtrl.errors import RunFolderError
from qtrl.files.untrusted import read_regular
from qtrl.keys import ENV_STEPS, LABEL, LABEL_RULE

Curve = tuple[np.ndarray, np.ndarray]
"""Env steps and values of one metric of one run, both (T,)."""

MAX_CELLS = 2_000_000
"""Cells of `metrics.csv`, empty ones included: 20,000 rows and more; they take about 0.5 GB while they are read."""
NUMBERS = ("circuits", "shots", "wall_seconds", "parameter_shift_circuits")
"""Numbers that the summary of a complete run has, beside its scores."""


@dataclass(frozen=True)
class RunResult:
    """One complete run.

    Attributes:
        path: Its folder.
        label: The name that it shares with runs of other seeds.
        seed: Its seed.
        summary: What `summary.json` holds.
        columns: The curve of each metric of `metrics.csv`, without empty cells; of several values at the same env
            step, the first: the long final test follows a usual test at the same step, and curves show the latter.
        config: What `config.yaml` holds, as a flat mapping of dotted keys.
        measure: What it is compared by.
    """

    path: Path
    label: str
    seed: int
    summary: Mapping[str, Any]
    columns: Mapping[str, Curve]
    config: Mapping[str, Any]
    measure: Measure = RETURN

    def fact(self, key: str) -> Any:
        """Return what the summary has under a dotted key; None for nothing."""
        return _at(self.summary, key)


def read_run(folder: Path, read_config: Callable[[Path], Mapping[str, Any]]) -> RunResult:
    """Read a run and check everything that a study uses of it; `read_config` gives a flat mapping of dotted keys.

    Raises:
        QtrlError: The run is not complete, or one of its files is missing, damaged or of another run.
    """
    summary, measure = _read_summary(folder / "summary.json")
    config = read_config(folder)
    label: Any = summary.get("label") or config.get("label")
    seed: int = summary["seed"]
    _check(isinstance(label, str) and LABEL.fullmatch(label), "its label", label, LABEL_RULE)
    for key, value in (("label", label), ("seed", seed)):
        if config.get(key, value) != value:
            told = f"config.yaml has {key} {_shown(config[key])}, summary.json {_shown(value)}"
            raise RunFolderError(f"{told}: files of two runs")
    return RunResult(folder, label, seed, summary, _read_columns(folder / "metrics.csv", measure), config, measure)


def _read_text(path: Path) -> str:
    try:
        return read_regular(path, limit=2**26).decode()
    except FileNotFoundError:
        raise RunFolderError(f"it has no {path.name}") from None
    except UnicodeDecodeError:
        raise RunFolderError(f"{path.name} is not text") from None


def _read_summary(path: Path) -> tuple[dict[str, Any], Measure]:
    try:
        summary = json.loads(_read_text(path))
    except (ValueError, RecursionError):
        raise RunFolderError(f"{path.name} is not whole, or not JSON") from None
    if not isinstance(summary, dict):
        raise RunFolderError(f"{path.name} is no JSON object")
    if summary.get("status") != "complete":
        raise RunFolderError(f"it is not complete: its status is {_shown(summary.get('status'))}")
    measure = measure_of(summary)
    _check_values(summary, measure, path.name)
    return summary, measure


def _check_values(summary: Mapping[str, Any], measure: Measure, name: str) -> None:
    facts = {key: _at(summary, key) for key in measure.facts}
    for key, value in (facts | {"git_commit": summary.get("git_commit") or "unknown"}).items():
        fits, expected = FACTS.get(key, EITHER)
        _check(fits(value), f"{name}: {last_part(key)}", value, expected)
    seed = summary.get("seed")
    _check(isinstance(seed, int) and not isinstance(seed, bool), f"{name}: seed", seed, "an integer")
    if measure.starts is not None:
        scores = summary.get(measure.starts)
        numbers = isinstance(scores, list) and scores and all(map(is_finite, scores))
        _check(numbers, f"{name}: {measure.starts}", scores, "finite numbers")
    for key in (measure.final, measure.best, *NUMBERS):
        _check(is_finite(summary.get(key)), f"{name}: {key}", summary.get(key), "a finite number")


def _at(summary: Mapping[str, Any], key: str) -> Any:
    """Return the value under a dotted key; None for nothing."""
    value: Any = summary
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _read_table(path: Path, needed: Sequence[str]) -> list[list[str]]:
    text = _read_text(path)
    if not text:
        raise RunFolderError(f"{path.name} is empty")
    if not text.endswith("\n"):
        raise RunFolderError(f"{path.name} is cut: its last line has no end")
    cells = text.count(",") + text.count("\n")
    if cells > MAX_CELLS:
        raise RunFolderError(f"{path.name} has {cells:,} cells, expected at most {MAX_CELLS:,}; log less often")
    try:
        header, *rows = csv.reader(text.splitlines(), strict=True)
    except csv.Error as error:
        raise RunFolderError(f"{path.name} is no CSV: {error}") from None
    for column in needed:
        if column not in header:
            raise RunFolderError(f"{path.name} has no column {column}")
    for column in header:
        if header.count(column) > 1:
            raise RunFolderError(f"{path.name} has the column {_shown(column)} twice")
    return [header, *rows]


def _read_columns(path: Path, measure: Measure) -> dict[str, Curve]:
    header, *rows = _read_table(path, (ENV_STEPS, *measure.columns, measure.curve))
    cells: dict[str, dict[int, float]] = {name: {} for name in header}
    step_column, before = header.index(ENV_STEPS), 0
    for number, row in enumerate(rows, start=2):
        where = f"{path.name}, line {number}:"
        if len(row) != len(header):
            raise RunFolderError(f"{where} {len(row)} cells, expected {len(header)}")
        cell = row[step_column]
        env_steps = int(cell) if cell.isascii() and cell.isdecimal() and len(cell) <= 15 else -1
        _check(env_steps >= before, f"{where} {ENV_STEPS}", cell, f"an integer of {before} or more")
        before = env_steps
        for name, cell in zip(header, row, strict=True):
            if cell:
                cells[name].setdefault(env_steps, _finite(cell, f"{where} {name}"))
    if not cells[measure.curve]:
        raise RunFolderError(f"{path.name} has no test")
    return {name: (np.array(list(found), float), np.array(list(found.values()))) for name, found in cells.items()}


def _finite(cell: str, what: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    _check(math.isfinite(value), what, cell, "a finite number")
    return value


def _check(valid: object, what: str, value: object, expected: str) -> None:
    if not valid:
        raise RunFolderError(f"{what} is {_shown(value)}, expected {expected}")


def _shown(value: object) -> str:
    return "missing" if value is None else reprlib.repr(value)
