"""Nested plain data: read by dotted keys, and shown in errors."""

import reprlib
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final


class Missing(Enum):
    """MISSING stands for the value of a key that a mapping does not have."""

    MISSING = "missing"

    def __repr__(self) -> str:
        return "nothing"


MISSING: Final = Missing.MISSING


def leaves(node: Any, key: str = "", *, in_lists: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield dotted key and value of each leaf of nested mappings; an empty mapping is a leaf.

    A list is a leaf too, unless `in_lists`, where its items are, each with the key of its list.
    """
    if isinstance(node, dict) and node:
        for name, item in node.items():
            yield from leaves(item, f"{key}.{name}" if key else str(name), in_lists=in_lists)
    elif isinstance(node, list) and in_lists:
        for item in node:
            yield from leaves(item, key, in_lists=True)
    else:
        yield key, node


def at(node: Any, key: str) -> Any:
    """Return the value of nested mappings at a dotted key, or MISSING."""
    for name in key.split("."):
        if not isinstance(node, dict) or name not in node:
            return MISSING
        node = node[name]
    return node


def shown(value: object) -> str:
    """Represent an untrusted value on one line of bounded length, without control characters."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = 80
    return short.repr(value)
