"""What is said of a key that does not exist."""

import difflib
from collections.abc import Collection, Sequence


def unknown_key(key: str, choices: Collection[str], elsewhere: Sequence[str] = ()) -> str:
    """Say that a dotted key is unknown, which one may have been meant, and what the choices are.

    Where no choice is near, the keys `elsewhere` may have been meant.
    """
    choices = sorted(choice for choice in choices if not choice.startswith("_"))
    hint = nearest(key.rpartition(".")[2], choices) or (f"did you mean {' or '.join(elsewhere)}? " if elsewhere else "")
    return f"unknown key {key!r}: {hint}choices are {', '.join(choices) or 'none'}"


def nearest(word: str, choices: Collection[str]) -> str:
    """Ask whether the nearest choice was meant, with a space behind it; nothing where none is near."""
    close = difflib.get_close_matches(word, choices, n=1)
    return f"did you mean {close[0]}? " if close else ""
