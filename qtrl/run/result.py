"""What a run gave that has ended."""

import json
from pathlib import Path

from omegaconf import DictConfig

from qtrl.errors import RunFolderError
from qtrl.files.untrusted import read_regular

LARGEST = 2**24
"""Bytes of a summary: test episodes of 100,000 seeds."""
METRICS = {"test/return_mean": "return_mean", "test/best_return": "best_return_mean"}
"""What `optimized_metric` may be, and its name in `summary.json`."""


def finished_metric(cfg: DictConfig) -> float | None:
    """Return the optimized metric of a run whose env steps are all made, without opening its checkpoint.

    Args:
        cfg: The run's own config, with the `total_env_steps` that are asked for.

    Returns:
        None where there is something left to do.

    Raises:
        RunFolderError: `summary.json` says that the run is complete, but not with what result.
    """
    path = Path(cfg.run_dir, "summary.json")
    try:
        summary = json.loads(read_regular(path, limit=LARGEST))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise RunFolderError(f"{path} is not JSON as qtrl writes it: remove it to make the last test anew") from error
    if not isinstance(summary, dict) or summary.get("status") != "complete":
        return None
    env_steps, metric = summary.get("env_steps"), summary.get(METRICS[cfg.optimized_metric])
    if not isinstance(env_steps, int) or not isinstance(metric, float):
        raise RunFolderError(f"{path} says that the run is complete, but not what it gave: remove it to test anew")
    return metric if env_steps >= cfg.total_env_steps else None
