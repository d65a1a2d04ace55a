"""Colour and dash of each label, the same in every figure."""

from collections.abc import Iterable
from typing import NamedTuple

LIGHT = ("#3f90da", "#f19c00", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#72babd")
DARK = ("#3f90da", "#ffa90e", "#d23820", "#94a4a2", "#9d4ad2", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")
"""Colours for a light and a dark background that people with colour vision deficiencies can tell apart.

Source: M. A. Petroff, arXiv:2107.02270, the sequence of ten; the palest are darkened for a white background, the
darkest lightened for a dark one.
"""
DASHES = {"-": "none", "--": "6 4", "-.": "7 3 2 3"}
"""Matplotlib's line styles, and SVG's dash arrays for them. Dotted is left for the second metric of a panel."""
MAX_CHARACTERS = 40
"""Characters of a label that are shown."""


class Style(NamedTuple):
    """How one label is drawn: `text` is the label as shown, `css_class` that of its elements in the page."""

    number: int
    text: str
    color: str
    dash: str
    css_class: str


def styles_of(labels: Iterable[str]) -> dict[str, Style]:
    """Give each label a style of its own, by its place; past ten labels colours return with another dash."""
    styles = {}
    for number, label in enumerate(labels):
        turn, color = divmod(number, len(LIGHT))
        dash = list(DASHES)[(turn + color // 4) % len(DASHES)]  # four with the same dash, as in the paper
        styles[label] = Style(number, shown(label), LIGHT[color], dash, f"block-{number}")
    return styles


def shown(text: str) -> str:
    """Return a text of a run folder on one line of bounded length, whatever characters it has."""
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return plain if len(plain) <= MAX_CHARACTERS else plain[: MAX_CHARACTERS - 1] + "…"
