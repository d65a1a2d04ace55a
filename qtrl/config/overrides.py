"""Values as overrides on the command line, which Hydra's grammar and the shell read one after the other."""

import re
import shlex
from typing import Any

WORD = re.compile(r"(?!(?:true|false|null|nan|inf)$)[a-z_/](?:[\w/:. -]*[\w/])?", re.IGNORECASE | re.ASCII)
"""Texts that Hydra takes as they are."""
READ_BY_SHELL = set('"$`\\!')
"""What a shell does not leave alone between double quotes."""


def literal(value: Any) -> str:
    """Write a value so that Hydra reads the same value: no text becomes a number, a list or a sweep."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str) and not WORD.fullmatch(value):
        from hydra.core.override_parser.types import Quote, QuotedString

        return QuotedString(value, Quote.single).with_quotes()
    return str(value)


def for_shell(key: str, value: Any) -> str:
    """Write an override as one word of a shell."""
    text = literal(value)
    quoted = f'"{text}"' if text.startswith("'") and not READ_BY_SHELL & set(text) else shlex.quote(text)
    return f"{key}={quoted}"
