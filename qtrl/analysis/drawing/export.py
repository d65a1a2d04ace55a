"""Matplotlib figures as the bytes of a PNG file, and as SVG for the page."""

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree

from qtrl.analysis.drawing.styles import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RESOLUTION = 150
"""Pixels per inch of a PNG."""
SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
VARIABLES = {"#000000": "var(--text)", "#b0b0b0": "var(--muted)", "#ffffff": "var(--card)"} | {
    color: f"var(--color-{place})" for place, color in enumerate(LIGHT)
}
"""CSS variables of the page in place of colours, so that figures follow its dark scheme."""


class Tooltip(NamedTuple):
    """A text that the page shows while the pointer is at a point of a figure; x and y are in units of the axes."""

    axes: "Axes"
    x: float
    y: float
    text: str
    css_class: str


def new_figure(width: float, height: float) -> "Figure":
    """Make a figure with a size in inches and automatic layout."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    # 72 dots per inch, as in an SVG: there, axes transform to the units of its elements.
    return Figure(figsize=(width, height), dpi=72, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))


def escaped(text: str) -> str:
    """Keep Matplotlib from reading a text as mathematics."""
    return text.replace("$", r"\$")


def to_png(figure: "Figure") -> bytes:
    """Return a figure as PNG; the same figure gives the same bytes."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=RESOLUTION, metadata={"Software": None})
    return file.getvalue()


def to_svg(figure: "Figure", tooltips: Sequence[Tooltip] = ()) -> str:
    """Return a figure of `new_figure` as an SVG element for the page; the same figure gives the same text.

    An artist's `gid` becomes the CSS class of its element, colours become CSS variables.
    """
    from matplotlib import rc_context

    file = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "qtrl"}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(file.getvalue())
    root.remove(root[0])  # Matplotlib's metadata
    for element in root.iter():
        if "style" in element.attrib:
            style = re.sub("#[0-9a-f]{6}", lambda color: VARIABLES.get(color[0], color[0]), element.attrib["style"])
            element.set("style", style)
        if element.tag == f"{{{SVG}}}g":
            element.set("class", element.attrib.pop("id", ""))  # ids of several figures would clash
    for tooltip in tooltips:
        x, y = tooltip.axes.transData.transform((tooltip.x, tooltip.y))
        place = {"cx": f"{x:.1f}", "cy": f"{figure.bbox.height - y:.1f}", "r": "5"}  # in points
        disc = ElementTree.SubElement(root, f"{{{SVG}}}circle", place | {"class": f"tooltip {tooltip.css_class}"})
        ElementTree.SubElement(disc, f"{{{SVG}}}title").text = tooltip.text
    for name, address in (("", SVG), ("xlink", XLINK)):
        ElementTree.register_namespace(name, address)
    return ElementTree.tostring(root, encoding="unicode")
