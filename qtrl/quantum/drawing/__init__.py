"""Drawings of circuits."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from qtrl.errors import CircuitError
from qtrl.quantum.circuit import Circuit
from qtrl.quantum.drawing.picture import draw_picture
from qtrl.quantum.drawing.text import draw_text

DRAWERS: Mapping[str, Callable[[Circuit, int | None], Any]] = MappingProxyType({"text": draw_text, "mpl": draw_picture})
"""Name of an output to what draws it."""


def draw(circuit: Circuit, output: str, fold: int | None) -> Any:
    """Draw a circuit as `Circuit.draw` says."""
    if output not in DRAWERS:
        raise CircuitError(f"unknown drawing {output!r}, expected one of {', '.join(DRAWERS)}")
    if fold is not None and fold < 1:
        raise CircuitError(f"fold is {fold}, expected at least 1")
    return DRAWERS[output](circuit, fold)
