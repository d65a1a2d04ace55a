"""The result of a run that is complete."""

import json
from pathlib import Path

from qtrl.errors import RunFolderError
from qtrl.files.untrusted import read_regular
from qtrl.keys import EXAMPLE_SCORES

METRICS = {"test/return_mean": "return_mean", "test/best_return": "best_return_mean"}
METRICS |= {name: name.replace("/", "_") for name in EXAMPLE_SCORES}
"""Names in `summary.json` of what `optimized_metric` may be."""


def finished_metric(run_dir: Path, metric: str, total_env_steps: int) -> float | None:
    """Return `metric`, a key of `METRICS`, of a run that is complete, or None where env steps are left to do.

    Raises:
        RunFolderError: `summary.json` says that the run is complete, but not with what result.
    """
    path = run_dir / "summary.json"
    try:
        summary = json.loads(read_regular(path, limit=2**24))  # it lists the test episodes
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise RunFolderError(f"{path} is not JSON as qtrl writes it: remove it to make the last test anew") from error
    if not isinstance(summary, dict) or summary.get("status") != "complete":
        return None
    env_steps, value = summary.get("env_steps"), summary.get(METRICS[metric])
    if not isinstance(env_steps, int) or not isinstance(value, float):
        raise RunFolderError(f"{path} says that the run is complete, but not what it gave: remove it to test anew")
    return value if env_steps >= total_env_steps else None
