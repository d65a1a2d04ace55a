"""Runs that may be compared with each other: what must be the same, and what is told where it is not."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qtrl.errors import RunFolderError
from qtrl.report.run_files import RunResult

NOT_COMPARED = (
    *("seed", "run_dir", "paths", "logger", "ckpt_path", "tags", "trust", "resume", "resume_force"),
    *("num_threads", "optimized_metric"),
)
"""Keys in which runs of one label may differ: the seed, and what has no part in the result."""
VARIANT = ("label", "experiment", "block", "circuit", "engine", "actor", "surrogate")
"""Keys in which labels are meant to differ."""


def comparison_facts(run: RunResult) -> dict[str, str]:
    """Return what must be the same in all runs of a study."""
    summary, config = run.summary, run.config
    versions, env, callbacks = summary["versions"], config.get("env", {}), config.get("callbacks", {})
    facts = {
        "env_id": summary["env_id"],
        "gymnasium": versions["gymnasium"],
        "mujoco": versions["mujoco"],
        "observation_size": summary["observation_size"],
        "action_size": summary["action_size"],
        "max_episode_steps": env.get("max_episode_steps"),
        "total_env_steps": config.get("total_env_steps"),
        "warmup_env_steps": config.get("warmup_env_steps"),
        "test_every_env_steps": config.get("test_every_env_steps"),
        "test_episodes": callbacks.get("test_episodes"),
        "test_max_episode_steps": callbacks.get("test_max_episode_steps"),
        "final_test_episodes": len(summary["return_per_episode"]),
    }
    return {key: "none" if value is None else str(value) for key, value in facts.items()}


def check_alike(runs: Sequence[RunResult]) -> list[str]:
    """Refuse to compare unlike runs.

    Args:
        runs: All runs of a study.

    Returns:
        What a reader of the comparison must know, one line each.

    Raises:
        RunFolderError: Two runs differ in env, versions, lengths or tests, or two of one label in their configs.
    """
    for run in runs[1:]:
        first, other = comparison_facts(runs[0]), comparison_facts(run)
        for key, value in first.items():
            if other[key] != value:
                _refuse(key, (runs[0], value), (run, other[key]))
    by_label: dict[str, list[RunResult]] = {}
    for run in runs:
        by_label.setdefault(run.label, []).append(run)
    lacking = [line for group in by_label.values() if (line := _check_seeds(group))]
    return [*lacking, *_beside_the_block([group[0] for group in by_label.values()]), *_commits(runs)]


def _refuse(key: str, *pair: tuple[RunResult, object]) -> None:
    (one, here), (other, there) = pair
    raise RunFolderError(
        f"{one.path} and {other.path} cannot be compared: {key} is {here!r:.80} and {there!r:.80}; report them apart"
    )


def _check_seeds(runs: list[RunResult]) -> str | None:
    """Compare the configs of one label; return a warning where one lacks keys, as runs of an earlier version do."""
    first, warning = _settings(runs[0]), None
    for run in runs[1:]:
        other = _settings(run)
        for key in first.keys() & other.keys():
            if first[key] != other[key]:
                _refuse(key, (runs[0], first[key]), (run, other[key]))
        alone = sorted(first.keys() ^ other.keys())
        if alone:
            warning = f"{runs[0].path} and {run.path} are of different versions of qtrl: one of them lacks {alone[0]}"
    return warning


def _settings(run: RunResult) -> dict[str, Any]:
    """Return a run's config by dotted keys, without what follows from its seed."""
    found = dict(_leaves(run.config))
    return {
        key: value
        for key, value in found.items()
        if key.partition(".")[0] not in NOT_COMPARED and not (key.endswith(".seed") and value == run.seed)
    }


def _leaves(node: Mapping[str, Any], key: str = "") -> Iterator[tuple[str, Any]]:
    for name, item in node.items():
        if isinstance(item, Mapping) and item:
            yield from _leaves(item, f"{key}{name}.")
        else:
            yield f"{key}{name}", item


def _beside_the_block(firsts: list[RunResult]) -> list[str]:
    """Tell in what else than the block labels differ; keys that one of them lacks do not count."""
    lines, settings = [], _settings(firsts[0]) if firsts else {}
    for run in firsts[1:]:
        other = _settings(run)
        for key in settings:
            if key.partition(".")[0] not in VARIANT and key in other and other[key] != settings[key]:
                told = f"{settings[key]!r:.80} for {firsts[0].label}, {other[key]!r:.80} for {run.label}"
                lines.append(f"not the block alone differs: {key} is {told}")
    return lines


def commits(runs: Sequence[RunResult]) -> list[str]:
    """Return the commits that runs were made with, each once."""
    return sorted({run.summary.get("git_commit") or "unknown" for run in runs})


def _commits(runs: Sequence[RunResult]) -> Iterator[str]:
    found = commits(runs)
    if len(found) > 1:
        yield f"runs were made with {len(found)} commits: {', '.join(found)}"
    dirty = sum(commit.endswith("-dirty") for commit in (commits([run])[0] for run in runs))
    if dirty:
        yield f"{dirty} of {len(runs)} runs were made with files that differ from their commit"
