"""What a run folder holds, as one digest for each thing with a name: equal digests are equal bits."""

import csv
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from qtrl.config.instantiate import construct_task
from qtrl.config.saved import load_config
from qtrl.files.checkpoint import read_checkpoint
from qtrl.tasks import RunContext

TIMES = ("time/", "quantum/seconds")
"""Columns of `metrics.csv` that begin so hold wall-clock times."""
TIMED = ("stopwatch", "ledger.seconds", "epoch")
"""What of a checkpoint may differ: wall-clock times, and how often Lightning's `fit` was called."""
TRUSTED = [f"faulty_envs:Late_{what}-v0" for what in ("reward", "observation")]
"""Environments of these tests that a run folder may name."""
STREAM = "loops.fit_loop.state_dict.combined_loader"
"""The one part of Lightning's own loop counters that qtrl goes on from."""


def digests(run_dir: Path, name: str = "last") -> dict[str, str]:
    """Digest the checkpoint, the replay's rows, the metrics and the summary of a run."""
    path = run_dir / "checkpoints" / f"{name}.ckpt"
    checkpoint = read_checkpoint(path)
    found = {where: _digest(value) for where, value in flat(checkpoint) if _counts(where)}
    found |= {f"replay rows.{key}": _digest(value) for key, value in replay_rows(run_dir, checkpoint).items()}
    found |= {f"metrics.csv line {i}": _digest(sorted(row.items())) for i, row in enumerate(metrics(run_dir))}
    return found | {f"summary.{key}": _digest(value) for key, value in summary(run_dir).items()}


def differences(first: dict[str, str], second: dict[str, str]) -> list[str]:
    """Name what differs, or is in one of them only."""
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


def flat(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Give every leaf of nested dicts and lists with its path."""
    if isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from flat(item, f"{where}.{key}" if where else str(key))
    else:
        yield where, value


def env_steps(checkpoint: dict[str, Any]) -> int:
    """Return the env steps that were collected; the module's own count is of its last update."""
    return checkpoint["loops"]["fit_loop"]["state_dict"]["combined_loader"][0]["env_steps"]


def metrics(run_dir: Path) -> list[dict[str, str]]:
    """Read the rows of `metrics.csv` without its times."""
    with (run_dir / "metrics.csv").open(newline="") as file:
        return [{key: cell for key, cell in row.items() if not key.startswith(TIMES)} for row in csv.DictReader(file)]


def summary(run_dir: Path) -> dict[str, Any]:
    """Read `summary.json` without its times and the commit that the working copy stood at."""
    path = run_dir / "summary.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    return {where: value for where, value in flat(found) if "second" not in where and where != "git_commit"}


def replay_rows(run_dir: Path, checkpoint: dict[str, Any], times: int = 20) -> dict[str, Tensor]:
    """Draw `times` as many rows as the replay has, from a copy of its files; all rows are among them, nearly surely."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copytree(run_dir / "checkpoints", copy / "checkpoints")
        cfg = load_config(run_dir, trust=TRUSTED)
        task, context = construct_task(cfg), RunContext(copy, cfg.seed)
        replay: Any = task.make_data(task.make_module(context), context).replay  # type: ignore[attr-defined]
        replay.load_state_dict(
            checkpoint["loops"]["fit_loop"]["state_dict"]["combined_loader"][0]["ranks"][0]["replay"]
        )
        rows = replay.draw(times * len(replay), torch.Generator().manual_seed(0))
        return {str(key): value.clone() for key, value in rows.items(include_nested=True, leaves_only=True)}


def _counts(where: str) -> bool:
    timed = where.startswith(TIMED) or where.endswith(".wall_seconds")
    return not timed and (not where.startswith("loops.") or where.startswith(STREAM))


def _digest(value: Any) -> str:
    if isinstance(value, Tensor):
        data = value.detach().contiguous().view(-1).view(torch.uint8) if value.numel() else value
        kind = f"{value.dtype} {tuple(value.shape)}"
        return hashlib.sha256(kind.encode() + data.numpy().tobytes()).hexdigest()
    return hashlib.sha256(f"{type(value).__name__} {value!r}".encode()).hexdigest()
