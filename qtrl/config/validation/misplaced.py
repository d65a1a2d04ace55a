"""What is written on a command line out of habit, and would have no effect there or another one."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from qtrl.config.location import config_dir
from qtrl.config.validation.unknown import unknown_key
from qtrl.errors import ConfigError

HYDRA: Mapping[str, str] = {
    "hydra.run.dir": "the folder of a run is run_dir=DIR",
    "hydra.job.chdir": "relative paths are those of the folder that the command is called from",
    "hydra.output_subdir": "the resolved config is config.yaml in the run's folder",
}
"""Keys of Hydra's own that are without effect, since qtrl makes the run's folder itself."""
MULTIRUN = ("-m", "--multirun")
"""Options of Hydra's, which it takes before or behind the overrides, not among them."""
OF_JOBS = ("hydra.sweep", "hydra.sweeper", "hydra.launcher", "hydra/launcher", "hydra/sweeper", "launcher", "sweep")
"""Keys that say how the jobs of a multirun are chosen, run and placed."""
NULL: Mapping[str, str] = {"logger": "logger=csv for metrics.csv alone"}
"""What to write for a group without a member."""


def refuse_misplaced(overrides: Sequence[str], config_name: str) -> None:
    """Refuse the first of a command's overrides that names nothing that the command reads.

    Raises:
        ConfigError: A key of Hydra's without effect, a group without a member, or a key of another command.
    """
    own, of_runs = top_keys(config_name), top_keys("train")
    several = is_multirun(overrides)
    for override in overrides:
        key, assigned, value = override.lstrip("+~").partition("=")
        if key.startswith("--") and (name := key[2:].replace("-", "_")) in own | of_runs:
            raise ConfigError(f"{override} is no option: write {name}={value or 'VALUE'}")
        root = key.partition(".")[0].partition("@")[0].partition("/")[0]
        if key in HYDRA and assigned:
            raise ConfigError(f"{override} has no effect: {HYDRA[key]}")
        of_jobs = any(f"{key}.".startswith(f"{name}.") for name in OF_JOBS)
        if of_jobs and assigned and not several and config_name == "train":
            hint = "add that, or leave this out (a single run's folder is run_dir=DIR)"
            raise ConfigError(f"{override} has no effect without -m: {hint}")
        if several and override.startswith("run_dir=") and not {",", "$"} & {*value}:
            raise ConfigError(
                f"{override} is the folder of one run, and -m makes several: write hydra.sweep.dir={value}"
            )
        if override.startswith("~") and key in NULL:
            raise ConfigError(f"{override} leaves nothing: write {NULL[key]}")
        if assigned and value in ("null", "None", "", "[]") and (choices := _members(key)):
            hint = f"write {NULL[key]}" if key in NULL else f"leave {key} out for the default"
            raise ConfigError(f"{override} chooses nothing: {hint}, or take one of {', '.join(choices)}")
        if root not in own and (root in of_runs or override.startswith("+")) and (assigned or override[:1] in "+~"):
            raise ConfigError(_of_a_run(key, config_name, own) if root in of_runs else unknown_key(root, own))


def is_multirun(arguments: Sequence[str]) -> bool:
    """Tell whether the arguments of a command ask for several jobs."""
    return not {*MULTIRUN, "hydra.mode=MULTIRUN"}.isdisjoint(arguments)


@cache
def top_keys(config_name: str) -> frozenset[str]:
    """Return the keys and groups at the top of a command's primary config."""
    if not (path := Path(config_dir(), f"{config_name}.yaml")).is_file():
        return frozenset()
    node: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    names = set(node) - {"defaults"} | {"hydra"}
    for entry in node["defaults"]:
        names |= _groups(entry) if isinstance(entry, dict) else top_keys(entry)
    return frozenset(names)


def _groups(entry: Iterable[str]) -> set[str]:
    return {name.removeprefix("override ").strip("/") for name in entry}


def _members(group: str) -> list[str]:
    folder = Path(config_dir(), group)
    return sorted(path.stem for path in folder.glob("*.yaml")) if folder.is_dir() and group else []


def _of_a_run(key: str, config_name: str, own: Collection[str]) -> str:
    return f"{unknown_key(key, own)}; it belongs to a run, and qtrl.{config_name} takes it from the run's config.yaml"
