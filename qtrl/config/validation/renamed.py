"""Renamed keys of the config: refused on the command line, translated where a saved config is loaded."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from qtrl.config.location import config_dir
from qtrl.config.nested import MISSING, at
from qtrl.errors import ConfigError

RENAMED: Mapping[str, tuple[str, ...]] = {
    "surrogate": ("gradient",),
    "algo.hidden": ("actor.hidden", "critic.hidden"),
    "algo.links": ("actor.links",),
    "algo.exploration_noise": ("exploration.noise",),
    "block.angle_scale": ("actor.angle_scale",),
}
"""New keys by the old one; the keys below a group moved with it."""
RENAMED_IN: Mapping[str, Mapping[str, tuple[str, ...]]] = {"eval": {"study": ("ablation",)}}
"""Others, by the command's primary config."""
OLD_GROUPS = ("algo", "actor", "block", "data", "trainer")


def refuse_renamed(overrides: Sequence[str], config_name: str) -> None:
    """Raise a ConfigError for the first of a command's overrides that uses an old name, with the new one."""
    renamed = {**RENAMED, **RENAMED_IN.get(config_name, {})}
    for override in overrides:
        key = override.partition("=")[0].lstrip("+~")
        for old, new in renamed.items():
            if f"{key}.".startswith(f"{old}."):
                names = " and ".join(name + key.removeprefix(old) for name in new)
                raise ConfigError(f"unknown key {key!r}: it is {names} now")


def translated(plain: dict[str, Any]) -> dict[str, Any]:
    """Translate an untrusted config with old names, in place and without imports; return any other as it is."""
    if "task" in plain or not all(isinstance(plain.get(group), dict) for group in OLD_GROUPS):
        return plain
    # Groups that old configs lack, and the member that does the same.
    for group, member in (("task", "rl"), ("critic", "twin"), ("exploration", "gaussian")):
        plain[group] = _read(Path(config_dir(), group, f"{member}.yaml"))
    plain["gradient"] = plain.pop("surrogate", None)
    actors = [_read(path) for path in Path(config_dir(), "actor").glob("*.yaml")]
    actor = next((node for node in actors if node["_target_"] == plain["actor"].get("_target_")), {})
    for old, new in RENAMED.items():
        group, _, name = old.partition(".")
        value = plain[group].pop(name, MISSING) if name else MISSING
        for key in new if value is not MISSING else ():
            target, _, name = key.partition(".")
            if target != "actor" or name in actor:
                plain[target][name] = value
    for partial in ("algo", "trainer"):
        plain[partial] = {**plain[partial], "_partial_": True}
    for holder in (plain, plain["block"]):
        holder |= {"engine": _engine(holder["engine"])} if "engine" in holder else {}
    plain["data"].pop("collector", None)
    plain["matmul_precision"] = "highest"
    return plain


def _engine(node: Any) -> Any:
    from qtrl.quantum import ENGINES  # imports torch, for which no mistake on the command line should wait

    name = at(node, "name")
    known = isinstance(name, str) and name in ENGINES
    return {"_target_": f"qtrl.quantum.engines.{ENGINES[name].__name__}"} if known else node


def _read(path: Path) -> dict[str, Any]:
    """Read a member of a group, but for what it takes from keys that old configs lack: there the default serves."""
    read: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {key: value for key, value in read.items() if not (isinstance(value, str) and "${" in value)}
