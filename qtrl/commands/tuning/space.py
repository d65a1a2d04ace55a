"""What a search varies: keys of the config, and the values that each may take."""

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from qtrl.config.nested import shown
from qtrl.config.overrides import literal
from qtrl.config.validation.number import Number
from qtrl.errors import ConfigError

LARGEST = 1e100

Space = dict[str, dict[str, Any]]
"""Dotted key, or name of a config group, to its checked entry."""


def read_space(node: Any) -> Space:
    """Check a search space: plain mappings, nested as the config is or with dotted keys, that end in entries.

    An entry has a `type`, `float`, `int` or `categorical`, and the arguments of Optuna's distribution of that type.

    Raises:
        ConfigError: There is no entry, or the first that is malformed.
    """
    space = dict(_entries(node, "space")) if node is not None else {}
    if not space:
        raise ConfigError("space is empty: nothing to search for")
    distributions(space)
    return space


def _entries(node: Any, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(node, dict):
        raise ConfigError(f"{key}={shown(node)} is not allowed: expected {{type: ..., ...}}")
    if "type" in node:
        yield key.removeprefix("space."), node
        return
    for name, inner in node.items():
        yield from _entries(inner, f"{key}.{name}")


def distributions(space: Space) -> dict[str, Any]:
    """Return the space as Optuna's distributions."""
    return {key: _distribution(f"space.{key}", entry) for key, entry in space.items()}


def _distribution(key: str, entry: dict[str, Any]) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    kinds: Any = {"float": FloatDistribution, "int": IntDistribution, "categorical": CategoricalDistribution}
    kind = entry["type"]
    if kind not in list(kinds):
        raise ConfigError(f"{key}.type={shown(kind)} is unknown: choices are {', '.join(kinds)}")
    for name in ("low", "high", "step"):
        if name in entry:
            Number(-LARGEST, LARGEST, whole=kind == "int").check(f"{key}.{name}", entry[name])
    if not isinstance(entry.get("log", False), bool):
        raise ConfigError(f"{key}.log={shown(entry['log'])} is not allowed: expected true or false")
    if "choices" in entry:
        _check_choices(key, entry["choices"])
    try:
        return kinds[kind](**{name: value for name, value in entry.items() if name != "type"})
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{key} is not allowed: {error}") from error


def _check_choices(key: str, choices: Any) -> None:
    plain = isinstance(choices, list) and all(isinstance(value, str | int | float | None) for value in choices)
    if not plain or not 2 <= len(choices) == len({(type(value), value) for value in choices}):
        raise ConfigError(f"{key}.choices={shown(choices)} is not allowed: expected two or more words or numbers")


def check_keys(space: Space, keys: Collection[str], groups: Collection[str], refused: Collection[str]) -> None:
    """Refuse what is neither among the dotted `keys` of the config nor a config group, or what a search sets itself."""
    for key in space:
        if key in refused:
            raise ConfigError(f"space.{key} is not allowed: a search sets {key} itself")
        if key not in keys and key not in groups:
            close = difflib.get_close_matches(key, [*keys, *groups], n=1)
            hint = f"did you mean {close[0]}?" if close else "give a key that --cfg job shows, or a config group"
            raise ConfigError(f"space.{key}: the config has no key {key!r}; {hint}")


def corners(space: Space) -> list[dict[str, Any]]:
    """Return settings of which each limit and each choice is in one at least."""
    values = {key: entry.get("choices") or [entry["low"], entry["high"]] for key, entry in space.items()}
    count = max(len(options) for options in values.values())
    return [{key: options[min(i, len(options) - 1)] for key, options in values.items()} for i in range(count)]


def as_overrides(setting: Mapping[str, Any]) -> list[str]:
    """Write a setting as arguments of the command line."""
    return [f"{key}={literal(value)}" for key, value in setting.items()]
