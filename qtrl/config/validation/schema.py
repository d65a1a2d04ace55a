"""The keys that the config of a run may have: the parameters of what it makes, and what the groups' files bring."""

import inspect
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from qtrl.config.location import config_dir
from qtrl.config.nested import MISSING, at
from qtrl.config.saved import PARTIAL
from qtrl.config.trusted_classes import TARGET, groups_of_a_run, trusted_classes
from qtrl.config.validation.unknown import unknown_key
from qtrl.errors import ConfigError


def check_keys(cfg: DictConfig, known: Any = None) -> None:
    """Refuse the first key of a run's config that nothing would read.

    A node with a `_target_` may have the parameters of that class or function. Any other has the keys that a file of
    its group gives it; below a key that is `{}` or null there, everything is free. Keys of the mapping `known` are not
    checked.

    Raises:
        ConfigError: With the nearest key that exists.
    """
    found: dict[str, Collection[str]] = {}
    for group in sorted(groups_of_a_run() & cfg.keys()):
        if group not in ("trainer", "task") and OmegaConf.is_dict(cfg[group]):
            node: Any = OmegaConf.to_container(cfg[group], resolve=True)
            found |= {key: choices for key, choices in _unknown(group, node) if at(known, key) is MISSING}
    if found:
        key = min(found, key=lambda key: (key.count("."), key))  # in a group rather than where it is referred to
        raise ConfigError(unknown_key(key, found[key]))


def _unknown(where: str, node: dict[str, Any], *, argument: bool = False) -> Iterator[tuple[str, Collection[str]]]:
    """Yield the keys below a node that nothing reads, each with those that could stand there.

    A plain mapping that is the `argument` of a class is the business of that class.
    """
    makes = TARGET in node
    choices = None if argument and not makes else _choices(where, node)
    for name, value in node.items():
        key = f"{where}.{name}"
        if choices is not None and name not in choices and not name.startswith("_"):
            yield key, choices
        elif isinstance(value, dict) and (makes or choices is not None):
            yield from _unknown(key, value, argument=makes)


def _choices(where: str, node: dict[str, Any]) -> Collection[str] | None:
    """Return the keys that a node may have; None where it may have any."""
    group = where.partition(".")[0]
    if TARGET not in node:
        return _keys_of_files(group, _folders(), makes=False).get(where, frozenset())
    try:
        parameters = inspect.signature(get_object(node[TARGET])).parameters.values()
    except Exception:  # whatever importing it raises is told where it is made
        return None
    beside = _keys_of_files(group, _folders(), makes=False).get(where) or frozenset()  # as of several loggers
    keys = _keys_of_files(group, _folders(), makes=True).get(where) or frozenset()
    trusted = node[TARGET] in trusted_classes().get(where, ())
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    named = {parameter.name for parameter in parameters if parameter.kind not in variadic}
    if trusted and PARTIAL in node:  # what it needs and no file brings comes from the run
        needed = {parameter.name for parameter in parameters if parameter.default is parameter.empty}
        named -= {name for name in needed - keys if f"{where}.{name}" not in trusted_classes()}
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return named | beside
    # It hands the rest on; if it is qtrl's own, the files have the keys.
    return named | keys if keys and trusted else None


def _folders() -> tuple[str, ...]:
    """Return qtrl's folder of configs, and those that the command line adds."""
    own = config_dir()
    if not HydraConfig.initialized():
        return (own,)
    sources = HydraConfig.get().runtime.config_sources
    return (own, *(source.path for source in sources if source.schema == "file" and source.path != own))


@cache
def _keys_of_files(group: str, folders: tuple[str, ...], *, makes: bool) -> Mapping[str, frozenset[str] | None]:
    """Return the keys of a group's nodes that make something, or of the others, by dotted key; None for a free one."""
    found: dict[str, frozenset[str] | None] = {}
    for folder in folders:
        for path in sorted(Path(folder, group).rglob("*.yaml")):
            where = ".".join((group, *path.relative_to(Path(folder, group)).parent.parts))
            _collect(where, yaml.safe_load(path.read_text(encoding="utf-8")) or {}, found, makes=makes)
    return {key: names for key, names in found.items() if names is not None or not _is_group(key, folders)}


def _is_group(key: str, folders: tuple[str, ...]) -> bool:
    """Tell whether a key is null only where no member of the group of that name was chosen."""
    return any(Path(folder, *key.split(".")).is_dir() for folder in folders)


def _collect(where: str, node: dict[str, Any], found: dict[str, frozenset[str] | None], *, makes: bool) -> None:
    names = {str(name) for name in node if name != "defaults"}
    if (TARGET in node) is makes:
        found[where] = (found.get(where) or frozenset()) | names
    for name in names:
        if node[name] in ({}, None):
            found[f"{where}.{name}"] = None
        elif isinstance(node[name], dict):
            _collect(f"{where}.{name}", node[name], found, makes=makes)
