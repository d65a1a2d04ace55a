"""Plain data of configs and checkpoints: looked through, and shown."""

import reprlib
from collections.abc import Iterator
from typing import Any


class Nothing:
    """What is where a key is not."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING = Nothing()


def leaves(node: Any, key: str = "", *, in_lists: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield what nested mappings end in, with dotted keys; an empty mapping is such an end.

    Args:
        node: The outermost mapping.
        key: Its own key.
        in_lists: Whether to look into lists, whose members come with the key of the list; else a list is an end.
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
    """Return what nested mappings have at a dotted key, or NOTHING."""
    for name in key.split("."):
        if not isinstance(node, dict) or name not in node:
            return NOTHING
        node = node[name]
    return node


def shown(value: object) -> str:
    """Show what a stranger wrote: on one line, cut, and harmless to a terminal."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = 80
    return short.repr(value)
