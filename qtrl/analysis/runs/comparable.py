"""Which runs may be compared: what must be equal in all of them, and differences that the reader is warned of."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from qtrl.analysis.runs.measure import last_part
from qtrl.analysis.runs.reading import RunResult
from qtrl.errors import RunFolderError

EXEMPT = (
    *("seed", "run_dir", "paths", "logger", "ckpt_path", "tags", "trust", "resume", "resume_force"),
    *("num_threads", "optimized_metric"),
)
"""Config keys in which runs of one label may differ: the seed, and what does not affect the result."""
VARIANT = (
    "label",
    "experiment",
    "task",
    "block",
    "circuit",
    "engine",
    "gradient",
    "actor",
    "critic",
    "exploration",
    "model",
)
"""Config keys in which labels are meant to differ."""


def comparison_facts(run: RunResult) -> dict[str, str]:
    """Return what must be equal in all runs of a study, as text."""
    measure = run.measure
    facts = {last_part(key): run.fact(key) for key in measure.facts}
    facts |= {last_part(key): run.config.get(key) for key in measure.settings}
    if measure.starts is not None:
        facts |= _of_env(run) | {"final_test_episodes": len(run.summary[measure.starts])}
    return {key: "none" if value is None else str(value) for key, value in facts.items()}


def _of_env(run: RunResult) -> dict[str, str]:
    config = run.config
    return {
        "kwargs": json.dumps({key: value for key, value in config.items() if key.startswith("env.kwargs.")}),
        "wrappers": json.dumps(config.get("env.wrappers") or []),
    }


def check_comparable(runs: Mapping[str, Sequence[RunResult]]) -> list[str]:
    """Refuse to compare runs that differ in more than the variant and the seed.

    `runs` are all of a study, by label. Returned are warnings for the reader of the comparison, one line each.

    Raises:
        RunFolderError: Two runs differ in what is learned, versions, lengths or tests, or two of one label in their
            configs.
    """
    every, firsts, warnings = [run for group in runs.values() for run in group], [], []
    for run in every[1:]:
        _refuse_difference(every[0], run, _measure)
        _refuse_difference(every[0], run, comparison_facts)
    for first, *others in runs.values():
        firsts.append(first)
        for run in others:
            _refuse_difference(first, run, _settings)
            if in_one := sorted(_keys(first) ^ _keys(run)):
                versions = "are of different versions of qtrl"
                warnings.append(f"{first.path} and {run.path} {versions}: one of them lacks {in_one[0]}")
    for run in firsts[1:]:
        for key, value, other in _differences(_settings(firsts[0]), _settings(run)):
            if key.partition(".")[0] not in VARIANT:
                values = f"{value} for {firsts[0].label}, {other} for {run.label}"
                warnings.append(f"not the block alone differs: {key} is {values}")
    return warnings + _commit_warnings(every)


def _measure(run: RunResult) -> dict[str, Any]:
    return {f"measure.{key}": value for key, value in vars(run.measure).items()}


def _keys(run: RunResult) -> set[str]:
    """Return the keys of a run's config but for the exempt ones."""
    return {key for key in run.config if key.partition(".")[0] not in EXEMPT}


def _settings(run: RunResult) -> dict[str, Any]:
    """Return a run's config without the exempt keys and without seeds equal to the run's own."""
    kept = _keys(run)
    values = {key: value for key, value in run.config.items() if key in kept}
    return {key: value for key, value in values.items() if not (key.endswith(".seed") and value == run.seed)}


def _differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield each key that both have with unlike values, and these as short texts."""
    for key in first:
        if key in second and first[key] != second[key]:
            yield key, f"{first[key]!r:.80}", f"{second[key]!r:.80}"


def _refuse_difference(first: RunResult, second: RunResult, of: Callable[[RunResult], Mapping[str, Any]]) -> None:
    for key, value, other in _differences(of(first), of(second)):
        paths = f"{first.path} and {second.path}"
        raise RunFolderError(f"{paths} cannot be compared: {key} is {value} and {other}; report them apart")


def commits(runs: Sequence[RunResult]) -> list[str]:
    """Return the commits that runs were made with, each once, sorted."""
    return sorted({run.summary.get("git_commit") or "unknown" for run in runs})


def _commit_warnings(runs: Sequence[RunResult]) -> list[str]:
    found, warnings = commits(runs), []
    if len(found) > 1:
        warnings.append(f"runs were made with {len(found)} commits: {', '.join(found)}")
    if dirty := sum(commits([run])[0].endswith("-dirty") for run in runs):
        warnings.append(f"{dirty} of {len(runs)} runs were made with files that differ from their commit")
    return warnings
