"""Which runs may be compared: what must be equal in all of them, and differences that the reader is warned of."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qtrl.analysis.runs.reading import RunResult
from qtrl.errors import RunFolderError

EXEMPT = (
    *("seed", "run_dir", "paths", "logger", "ckpt_path", "tags", "trust", "resume", "resume_force"),
    *("num_threads", "optimized_metric"),
)
"""Config keys in which runs of one label may differ: the seed, and what does not affect the result."""
VARIANT = ("label", "experiment", "block", "circuit", "engine", "actor", "surrogate", "gradient")
"""Config keys in which labels are meant to differ."""


def comparison_facts(run: RunResult) -> dict[str, str]:
    """Return what must be equal in all runs of a study, as text."""
    summary, config, versions = run.summary, run.config, run.summary["versions"]
    facts = {
        "env_id": summary["env_id"],
        "gymnasium": versions["gymnasium"],
        "mujoco": versions["mujoco"],
        "observation_size": summary["observation_size"],
        "action_size": summary["action_size"],
        "max_episode_steps": config.get("env.max_episode_steps"),
        "total_env_steps": config.get("total_env_steps"),
        "warmup_env_steps": config.get("warmup_env_steps"),
        "test_every_env_steps": config.get("test_every_env_steps"),
        "test_episodes": config.get("callbacks.test_episodes"),
        "test_max_episode_steps": config.get("callbacks.test_max_episode_steps"),
        "final_test_episodes": len(summary["return_per_episode"]),
    }
    return {key: "none" if value is None else str(value) for key, value in facts.items()}


def check_comparable(runs: Mapping[str, Sequence[RunResult]]) -> list[str]:
    """Refuse to compare runs that differ in more than the variant and the seed.

    Args:
        runs: All runs of a study, by label.

    Returns:
        Warnings for the reader of the comparison, one line each.

    Raises:
        RunFolderError: Two runs differ in env, versions, lengths or tests, or two of one label in their configs.
    """
    every = [run for group in runs.values() for run in group]
    for run in every[1:]:
        _refuse_difference((every[0], run), comparison_facts(every[0]), comparison_facts(run))
    missing_keys = [line for group in runs.values() if (line := _check_seeds(group))]
    return [*missing_keys, *_other_differences([group[0] for group in runs.values()]), *_commit_warnings(every)]


def _refuse_difference(pair: tuple[RunResult, RunResult], first: dict[str, Any], second: dict[str, Any]) -> None:
    for key in first:
        if key in second and first[key] != second[key]:
            values = f"{first[key]!r:.80} and {second[key]!r:.80}"
            raise RunFolderError(
                f"{pair[0].path} and {pair[1].path} cannot be compared: {key} is {values}; report them apart"
            )


def _check_seeds(runs: Sequence[RunResult]) -> str | None:
    """Compare the configs of one label; return a warning if one lacks a key, as runs of an earlier version do."""
    first, warning = _settings(runs[0]), None
    for run in runs[1:]:
        other = _settings(run)
        _refuse_difference((runs[0], run), first, other)
        in_one = sorted(first.keys() ^ other.keys())
        if in_one:
            warning = f"{runs[0].path} and {run.path} are of different versions of qtrl: one of them lacks {in_one[0]}"
    return warning


def _settings(run: RunResult) -> dict[str, Any]:
    """Return a run's config without the exempt keys and without seeds equal to the run's own."""
    return {
        key: value
        for key, value in run.config.items()
        if key.partition(".")[0] not in EXEMPT and not (key.endswith(".seed") and value == run.seed)
    }


def _other_differences(firsts: list[RunResult]) -> list[str]:
    """Name the keys outside `VARIANT` in which labels differ; keys that one of them lacks do not count."""
    lines, settings = [], _settings(firsts[0]) if firsts else {}
    for run in firsts[1:]:
        other = _settings(run)
        for key in settings:
            if key.partition(".")[0] not in VARIANT and key in other and other[key] != settings[key]:
                values = f"{settings[key]!r:.80} for {firsts[0].label}, {other[key]!r:.80} for {run.label}"
                lines.append(f"not the block alone differs: {key} is {values}")
    return lines


def commits(runs: Sequence[RunResult]) -> list[str]:
    """Return the commits that runs were made with, each once, sorted."""
    return sorted({run.summary.get("git_commit") or "unknown" for run in runs})


def _commit_warnings(runs: Sequence[RunResult]) -> Iterator[str]:
    found = commits(runs)
    if len(found) > 1:
        yield f"runs were made with {len(found)} commits: {', '.join(found)}"
    dirty = sum(commits([run])[0].endswith("-dirty") for run in runs)
    if dirty:
        yield f"{dirty} of {len(runs)} runs were made with files that differ from their commit"
