"""Observations that policies are compared on: of the run's replay, or else like those that the run has seen."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from qtrl.files.untrusted import read_parts
from qtrl.nn import RunningNorm, running_norms

REPLAY = Path("checkpoints", "replay", "rank0", "observation.bin")


def draw_observations(
    run_dir: Path, checkpoint: dict[str, Any], actor: nn.Module, *, size: int, count: int, seed: int
) -> tuple[Tensor, str]:
    """Draw flat observations (N, size), N at most `count`, float32, and say in words where they come from.

    Args:
        run_dir: The folder of the run.
        checkpoint: Its counters.
        actor: Its normalization is what they are drawn by where there is no replay.
        size: Entries of an observation.
        count: How many are wanted.
        seed: Of the draw.
    """
    generator = np.random.default_rng(seed)
    rows = _of_replay(run_dir / REPLAY, checkpoint, size, count, generator)
    if len(rows):
        return torch.from_numpy(rows), "the run's replay"
    drawn = torch.from_numpy(generator.standard_normal((count, size)))
    norm = next((each for each in running_norms(actor) if isinstance(each, RunningNorm)), None)
    if norm is None:
        return drawn.float(), "a standard normal distribution"
    spread = drawn * norm.variance.double().sqrt() + norm.mean.double()
    return spread.float(), "a normal distribution with mean and deviation of the observation normalization"


def _of_replay(
    path: Path, checkpoint: dict[str, Any], size: int, count: int, generator: np.random.Generator
) -> np.ndarray:
    """Draw rows without repetition, but for those never written, which are 0, or not finite; none without a file."""
    try:
        length = path.lstat().st_size
    except FileNotFoundError:
        return np.empty((0, size), np.float32)
    made = checkpoint.get("collected_env_steps")
    places = min(length // (4 * size), made if type(made) is int and made > 0 else checkpoint["env_steps"])
    chosen = generator.choice(places, min(places, 4 * count), replace=False)  # memory for these, not for all places
    parts = read_parts(path, (4 * size * int(place) for place in chosen), 4 * size)
    rows = np.frombuffer(b"".join(parts), np.float32).reshape(-1, size)
    return rows[rows.any(axis=1) & np.isfinite(rows).all(axis=1)][:count].copy()
