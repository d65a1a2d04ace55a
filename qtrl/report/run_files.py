"""One run, read from the files of its folder, which may be broken, half-written or a stranger's."""

import csv
import json
import math
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qtrl.errors import RunFolderError
from qtrl.files.untrusted import read_regular
from qtrl.keys import ENV_STEPS, LABEL, LABEL_RULE

Curve = tuple[np.ndarray, np.ndarray]
"""Env steps and values of one metric of one run, both (T,)."""

LARGEST = 2**26
"""Bytes of a file."""
MOST_CELLS = 2_000_000
"""Cells of `metrics.csv`, empty ones included: 20,000 rows and more; they take about 0.5 GB while they are read."""
NEEDED_COLUMNS = (ENV_STEPS, "train/return", "test/return_mean")
NUMBERS = (
    *("return_mean", "best_return_mean", "observation_size", "action_size"),
    *("circuits", "shots", "wall_seconds", "parameter_shift_circuits"),
)
"""Numbers that the summary of a complete run has."""


@dataclass(frozen=True)
class RunResult:
    """One complete run.

    Attributes:
        path: Its folder.
        label: The name that it shares with runs of other seeds.
        seed: Its seed.
        summary: What `summary.json` holds.
        columns: The curve of each metric of `metrics.csv`, without the cells that are empty; of several values at the
            same env step, the first: the long test at the end follows the usual one, which a curve is made of.
        config: What `config.yaml` holds.
    """

    path: Path
    label: str
    seed: int
    summary: Mapping[str, Any]
    columns: Mapping[str, Curve]
    config: Mapping[str, Any]


def read_run(folder: Path, read_config: Callable[[Path], Mapping[str, Any]]) -> RunResult:
    """Read a run and check all that a study reads of it.

    Args:
        folder: The run's folder.
        read_config: Reads its config as plain data.

    Raises:
        QtrlError: The run is not complete, or a file of it is missing, damaged, or not of such a run.
    """
    summary = _read_summary(folder / "summary.json")
    config = read_config(folder)
    label, seed = summary.get("label") or config.get("label"), summary["seed"]
    if not isinstance(label, str) or not LABEL.fullmatch(label):
        raise RunFolderError(f"its label is {_shown(label)}, expected {LABEL_RULE}")
    for key, value in (("label", label), ("seed", seed)):
        if config.get(key, value) != value:
            told = f"config.yaml has {key} {_shown(config[key])}, summary.json {_shown(value)}"
            raise RunFolderError(f"{told}: files of two runs")
    return RunResult(folder, label, seed, summary, _read_columns(folder / "metrics.csv"), config)


def _read_text(path: Path) -> str:
    try:
        return read_regular(path, limit=LARGEST).decode()
    except FileNotFoundError:
        raise RunFolderError(f"it has no {path.name}") from None
    except UnicodeDecodeError:
        raise RunFolderError(f"{path.name} is not text") from None


def _read_summary(path: Path) -> dict[str, Any]:
    text = _read_text(path)
    try:
        summary = json.loads(text)
    except (ValueError, RecursionError):
        raise RunFolderError(f"{path.name} is not whole, or not JSON") from None
    if not isinstance(summary, dict):
        raise RunFolderError(f"{path.name} is no JSON object")
    if summary.get("status") != "complete":
        raise RunFolderError(f"it is not complete: its status is {_shown(summary.get('status'))}")
    _check_summary(path.name, summary)
    return summary


def _check_summary(name: str, summary: dict[str, Any]) -> None:
    versions = summary.get("versions")
    versions = versions if isinstance(versions, dict) else {}
    texts = {"env_id": summary.get("env_id")} | {key: versions.get(key) for key in ("gymnasium", "mujoco")}
    texts["git_commit"] = summary.get("git_commit") or "unknown"
    for key, value in texts.items():
        if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 100:
            raise RunFolderError(f"{name}: {key} is {_shown(value)}, expected a name")
    seed, episodes = summary.get("seed"), summary.get("return_per_episode")
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise RunFolderError(f"{name}: seed is {_shown(seed)}, expected an integer")
    if not isinstance(episodes, list) or not episodes or not all(map(is_finite, episodes)):
        raise RunFolderError(f"{name}: return_per_episode is {_shown(episodes)}, expected finite numbers")
    for key in NUMBERS:
        if not is_finite(summary.get(key)):
            raise RunFolderError(f"{name}: {key} is {_shown(summary.get(key))}, expected a finite number")


def _read_table(path: Path) -> str:
    text = _read_text(path)
    if not text:
        raise RunFolderError(f"{path.name} is empty")
    if not text.endswith("\n"):
        raise RunFolderError(f"{path.name} is cut: its last line has no end")
    cells = text.count(",") + text.count("\n")
    if cells > MOST_CELLS:
        raise RunFolderError(f"{path.name} has {cells:,} cells, expected at most {MOST_CELLS:,}; log less often")
    return text


def _read_columns(path: Path) -> dict[str, Curve]:
    text = _read_table(path)
    try:
        header, *rows = csv.reader(text.splitlines(), strict=True)
    except csv.Error as error:
        raise RunFolderError(f"{path.name} is no CSV: {error}") from None
    _check_header(path.name, header)
    cells: dict[str, dict[int, float]] = {name: {} for name in header}
    place, before = header.index(ENV_STEPS), 0
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise RunFolderError(f"{path.name}, line {number}: {len(row)} cells, expected {len(header)}")
        env_steps = _whole(row[place])
        if env_steps is None or env_steps < before:
            told = f"{ENV_STEPS} is {_shown(row[place])}, expected an integer of {before} or more"
            raise RunFolderError(f"{path.name}, line {number}: {told}")
        before = env_steps
        for name, cell in zip(header, row, strict=True):
            if cell:
                cells[name].setdefault(env_steps, _finite(cell, f"{path.name}, line {number}: {name}"))
    if not cells["test/return_mean"]:
        raise RunFolderError(f"{path.name} has no test")
    return {name: (np.array(list(found), float), np.array(list(found.values()))) for name, found in cells.items()}


def _check_header(name: str, header: list[str]) -> None:
    missing = [column for column in NEEDED_COLUMNS if column not in header]
    if missing:
        raise RunFolderError(f"{name} has no column {missing[0]}")
    twice = next((column for column in header if header.count(column) > 1), None)
    if twice is not None:
        raise RunFolderError(f"{name} has the column {_shown(twice)} twice")


def _whole(cell: str) -> int | None:
    return int(cell) if cell.isascii() and cell.isdecimal() and len(cell) <= 15 else None


def _finite(cell: str, where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RunFolderError(f"{where} is {_shown(cell)}, expected a finite number")
    return value


def is_finite(value: object) -> bool:
    """Tell whether a value of a JSON file is a number to reckon with."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _shown(value: object) -> str:
    return "missing" if value is None else reprlib.repr(value)
