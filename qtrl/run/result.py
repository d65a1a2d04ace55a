"""The result of a run that is complete."""

from collections.abc import Callable
from pathlib import Path

from qtrl.errors import RunFolderError
from qtrl.files.untrusted import NotAnObjectError, read_json_object
from qtrl.keys import EXAMPLE_SCORES, RETURN_SCORES
from qtrl.tasks import RunLength

METRICS = dict(zip(RETURN_SCORES, ("return_mean", "best_return_mean"), strict=True))
METRICS |= {name: name.replace("/", "_") for name in EXAMPLE_SCORES}
"""Names in `summary.json` of what `optimized_metric` may be."""


def metric_text(metric: str, value: float) -> str:
    """Write the value of a metric, a key of `METRICS`: returns with one decimal, shares with four."""
    return f"{value:.{1 if metric in RETURN_SCORES else 4}f}"


def finished_metric(run_dir: Path, metric: str, length: Callable[[int], RunLength] | None = None) -> float | None:
    """Return `metric`, a key of `METRICS`, of a run that is complete, or None where env steps are left to do.

    Args:
        run_dir: The folder of the run.
        metric: Which score.
        length: Says how long the run should be, by the number of its ranks; None for as long as it is.

    Raises:
        RunFolderError: `summary.json` says that the run is complete, but not with what result.
    """
    path = run_dir / "summary.json"
    try:
        summary = read_json_object(path)
    except FileNotFoundError:
        return None
    except NotAnObjectError as error:
        raise RunFolderError(f"{error}: remove it to make the last test anew") from error
    if summary.get("status") != "complete":
        return None
    env_steps, value = summary.get("env_steps"), summary.get(METRICS[metric])
    world_size = summary.get("world_size", 1)
    if not isinstance(env_steps, int) or not isinstance(value, float) or not _is_count(world_size):
        raise RunFolderError(f"{path} says that the run is complete, but not what it gave: remove it to test anew")
    return value if length is None or env_steps >= length(world_size).total else None


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 1
