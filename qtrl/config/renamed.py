"""Keys of the config that have another name now: refused on the command line, translated where a config is loaded."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from qtrl.config.location import config_dir
from qtrl.config.nested import MISSING, at
from qtrl.errors import ConfigError
from qtrl.quantum import ENGINES

RENAMED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "surrogate": ("gradient",),
        "algo.hidden": ("actor.hidden", "critic.hidden"),
        "algo.links": ("actor.links",),
        "algo.exploration_noise": ("exploration.noise",),
        "block.angle_scale": ("actor.angle_scale",),
    }
)
"""New keys by the old one; of a group, the keys below it moved with it."""
RENAMED_IN = MappingProxyType({"eval": {"study": ("ablation",)}})
"""Others, by the command's primary config."""
NEW_GROUPS = MappingProxyType({"task": "rl", "critic": "twin", "exploration": "gaussian"})
"""Groups that old configs lack, and the member that says what they did."""


def refuse_renamed(overrides: Sequence[str], config_name: str) -> None:
    """Refuse overrides of the command line that use an old name.

    Args:
        overrides: As on the command line.
        config_name: The command's primary config.

    Raises:
        ConfigError: Names the first one, and what it is called now.
    """
    renamed = {**RENAMED, **RENAMED_IN.get(config_name, {})}
    for override in overrides:
        key = override.partition("=")[0].lstrip("+~")
        for old, new in renamed.items():
            if f"{key}.".startswith(f"{old}."):
                names = " and ".join(name + key.removeprefix(old) for name in new)
                raise ConfigError(f"unknown key {key!r}: it is {names} now")


def translated(plain: dict[str, Any]) -> dict[str, Any]:
    """Translate a saved config with old names; return any other one as it is.

    Args:
        plain: As loaded; untrusted, so that nothing in it is imported here. Changed in place.
    """
    if "task" in plain or not all(isinstance(plain.get(group), dict) for group in ("algo", "actor", "block", "data")):
        return plain
    for group, member in NEW_GROUPS.items():
        plain[group] = _member(group, member)
    plain["gradient"] = plain.pop("surrogate", None)
    actor = next((node for node in _members("actor") if node["_target_"] == plain["actor"].get("_target_")), {})
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
    name = at(node, "name")
    return {"_target_": f"qtrl.quantum.engines.{ENGINES[name].__name__}"} if name in ENGINES else node


def _member(group: str, name: str) -> dict[str, Any]:
    return yaml.safe_load(Path(config_dir(), group, f"{name}.yaml").read_text(encoding="utf-8"))


def _members(group: str) -> list[dict[str, Any]]:
    return [_member(group, path.stem) for path in Path(config_dir(), group).glob("*.yaml")]
