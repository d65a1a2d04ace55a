"""The allow-list of classes for saved configs: what qtrl's own configs name in `_target_`, and at which key."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from qtrl.config.location import config_dir

TARGET = "_target_"
REFERENCE = re.compile(r"\$\{(\w+)\}")
"""A value that refers to another group's node."""
PLACED = re.compile(r"/(\w+)@(\w+)")
"""An entry of a defaults list that puts a member of one group at a key of another group."""


@cache
def trusted_classes() -> dict[str, frozenset[str]]:
    """Return the classes that may stand at each dotted key, by exact name: a prefix would allow what modules import."""
    found: dict[str, set[str]] = {}
    for group in groups_of_a_run():
        for key, name in _targets_of(group):
            found.setdefault(key, set()).add(name)
    return {key: frozenset(names) for key, names in found.items()}


@cache
def primary_config() -> dict[str, Any]:
    """Return `train.yaml` as plain data."""
    return yaml.safe_load(Path(config_dir(), "train.yaml").read_text(encoding="utf-8"))


def groups_of_a_run() -> frozenset[str]:
    """Return the names of the config groups that `train.yaml` chooses from."""
    return frozenset(group for entry in primary_config()["defaults"] if isinstance(entry, dict) for group in entry)


def _targets_of(group: str) -> Iterator[tuple[str, str]]:
    """Yield key and class of each `_target_` that a member of a group may bring."""
    folder = Path(config_dir(), group)
    for path in sorted(folder.rglob("*.yaml")):
        node = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        yield from _targets_in(node, ".".join((group, *path.relative_to(folder).parent.parts)))
        for entry in node.get("defaults", []):
            for text in entry if isinstance(entry, dict) else [entry]:
                if placed := PLACED.fullmatch(text):
                    yield from _moved(placed[1], f"{group}.{placed[2]}")


def _targets_in(node: Any, key: str) -> Iterator[tuple[str, str]]:
    for name, value in node.items():
        if name == TARGET:
            yield key, value
        elif isinstance(value, dict):
            yield from _targets_in(value, f"{key}.{name}")
        elif isinstance(value, str) and (reference := REFERENCE.fullmatch(value)) and reference[1] in groups_of_a_run():
            yield from _moved(reference[1], f"{key}.{name}")


def _moved(group: str, key: str) -> Iterator[tuple[str, str]]:
    """Yield the targets of a group whose node stands at another key."""
    for own, name in _targets_of(group):
        yield key + own.removeprefix(group), name
