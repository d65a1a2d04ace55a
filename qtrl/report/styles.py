"""How each block is drawn: in the same colour and dash in every picture."""

from collections.abc import Iterable
from dataclasses import dataclass

LIGHT = ("#3f90da", "#f19c00", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#72babd")
DARK = ("#3f90da", "#ffa90e", "#d23820", "#94a4a2", "#9d4ad2", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")
"""Colours for a light and a dark ground that people with colour vision deficiencies can tell apart.

Source: M. A. Petroff, arXiv:2107.02270, the sequence of ten; the palest are darkened for a white ground, the darkest
lightened for a dark one.
"""
DASHES = (("solid", "-"), ("dash", "--"), ("dashdot", "-."))
"""Names of Plotly and of Matplotlib. Dotted lines are left for the second metric of a panel."""
SOLID = 4
"""Blocks with one kind of line: the paper has four."""
LONGEST = 40
"""Characters of a label that are shown."""


@dataclass(frozen=True)
class Style:
    """How one block is drawn.

    Attributes:
        number: Its place among the blocks; names its colour in the page's style sheet.
        text: The label as shown.
        light: Colour on a light ground.
        dark: Colour on a dark ground.
        dash: Plotly's name of the line, then Matplotlib's.
    """

    number: int
    text: str
    light: str
    dark: str
    dash: tuple[str, str]

    @property
    def color(self) -> str:
        """The CSS variable that holds the colour."""
        return f"var(--block-{self.number})"

    @property
    def band_color(self) -> str:
        """The CSS variable that holds the colour of an interval."""
        return f"var(--band-{self.number})"


def styles_of(labels: Iterable[str]) -> dict[str, Style]:
    """Give each label a style of its own, by its place; past ten labels colours come again with another dash."""
    return {label: _style(number, label) for number, label in enumerate(labels)}


def _style(number: int, label: str) -> Style:
    turn, color = divmod(number, len(LIGHT))
    return Style(
        number=number,
        text=shown(label),
        light=LIGHT[color],
        dark=DARK[color],
        dash=DASHES[(turn + color // SOLID) % len(DASHES)],
    )


def shown(text: str) -> str:
    """Return a text of a run folder on one line of bounded length, whatever characters it has."""
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"
