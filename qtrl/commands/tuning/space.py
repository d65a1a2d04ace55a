"""What a search varies: keys of the config, and the values that each may take."""

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Any

from qtrl.config.limits import Number
from qtrl.config.nested import shown
from qtrl.errors import ConfigError

FIELDS = {"float": ("low", "high", "log"), "int": ("low", "high", "log"), "categorical": ("choices",)}
"""What an entry of each type may have beside `type`."""
LARGEST = 1e100
WORD = re.compile(r"(?!(?:true|false|null|nan|inf)$)[A-Za-z_][\w/]*", re.IGNORECASE)
"""Text that Hydra reads as itself without quotes."""

Space = dict[str, dict[str, Any]]
"""Dotted key, or name of a config group, to its checked entry."""


def read_space(node: Any) -> Space:
    """Check the entries of a search space, which may be nested as the config is, or have dotted keys.

    Args:
        node: Plain mappings that end in entries with a `type`.

    Raises:
        ConfigError: There is no entry, or the first that is malformed.
    """
    space = dict(_entries(node, "")) if node is not None else {}
    if not space:
        raise ConfigError("space is empty: nothing to search for")
    for key, entry in space.items():
        _check_entry(f"space.{key}", entry)
    return space


def _entries(node: Any, key: str) -> Any:
    if not isinstance(node, dict):
        raise ConfigError(f"{_joined('space', key)}={shown(node)} is not allowed: expected {{type: ..., ...}}")
    if "type" in node:
        yield key, {"log": False} | node if node["type"] in ("float", "int") else node
        return
    for name, inner in node.items():
        yield from _entries(inner, _joined(key, str(name)))


def _joined(key: str, name: str) -> str:
    return ".".join(part for part in (key, name) if part)


def _check_entry(key: str, entry: dict[str, Any]) -> None:
    kind = entry["type"]
    if kind not in FIELDS:
        raise ConfigError(f"{key}.type={shown(kind)} is unknown: choices are {', '.join(FIELDS)}")
    wrong = sorted(str(name) for name in set(entry) ^ {"type", *FIELDS[kind]})
    if wrong:
        expected = ", ".join(("type", *FIELDS[kind]))
        raise ConfigError(f"{key}: {wrong[0]} is {'unknown' if wrong[0] in entry else 'missing'}; expected {expected}")
    if kind == "categorical":
        _check_choices(key, entry["choices"])
    else:
        _check_range(key, entry)


def _check_range(key: str, entry: dict[str, Any]) -> None:
    low, high, log = entry["low"], entry["high"], entry["log"]
    whole = entry["type"] == "int"
    for name, limit in (("low", low), ("high", high)):
        Number(-LARGEST, LARGEST, whole=whole).check(f"{key}.{name}", limit)
    if not isinstance(log, bool):
        raise ConfigError(f"{key}.log={shown(log)} is not allowed: expected true or false")
    if low >= high:
        raise ConfigError(f"{key}.low={low} is not allowed: expected less than high={high}")
    if log and low <= 0:
        raise ConfigError(f"{key}.low={low} is not allowed: expected more than 0 where log=true")


def _check_choices(key: str, choices: Any) -> None:
    plain = isinstance(choices, list) and all(isinstance(value, str | int | float | None) for value in choices)
    if not plain or len(choices) < 2 or len(choices) != len({(type(value), value) for value in choices}):
        raise ConfigError(f"{key}.choices={shown(choices)} is not allowed: expected two or more words or numbers")


def check_keys(space: Space, keys: Collection[str], groups: Collection[str], refused: Collection[str]) -> None:
    """Refuse keys that the config does not have, or that a search sets itself.

    Args:
        space: The search space.
        keys: Dotted keys of all values of the config.
        groups: Names of the config groups.
        refused: Keys that may not vary.

    Raises:
        ConfigError: The first such key, with the one that was meant perhaps.
    """
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


def distributions(space: Space) -> dict[str, Any]:
    """Return the space as Optuna's distributions."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    kinds = {"float": FloatDistribution, "int": IntDistribution, "categorical": CategoricalDistribution}
    return {
        key: kinds[entry["type"]](**{name: entry[name] for name in FIELDS[entry["type"]]})
        for key, entry in space.items()
    }


def as_overrides(setting: Mapping[str, Any]) -> list[str]:
    """Write a setting as arguments of the command line."""
    return [f"{key}={_literal(value)}" for key, value in setting.items()]


def _literal(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str) and not WORD.fullmatch(value):
        return "'" + value.replace("'", "\\'") + "'"
    return str(value)
