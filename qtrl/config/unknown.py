"""What is said of a key that does not exist."""

import difflib
from collections.abc import Collection


def unknown_key(key: str, choices: Collection[str]) -> str:
    """Say that a dotted key is unknown, which one may have been meant, and what the choices are."""
    choices = sorted(choice for choice in choices if not choice.startswith("_"))
    close = difflib.get_close_matches(key.rpartition(".")[2], choices, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"unknown key {key!r}: {hint}choices are {', '.join(choices) or 'none'}"
