"""Draw circuits as text or as a Matplotlib figure, by Qiskit's drawers."""

from typing import TYPE_CHECKING, Any, Literal, overload

from qtrl.errors import CircuitError
from qtrl.quantum.checks import import_package
from qtrl.quantum.circuit import Circuit
from qtrl.quantum.conversion import to_qiskit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FOLDS = {"text": 100, "mpl": 25}


@overload
def draw(circuit: Circuit, output: Literal["text"] = "text", *, fold: int | None = None) -> str: ...


@overload
def draw(circuit: Circuit, output: Literal["mpl"], *, fold: int | None = None) -> "Figure": ...


def draw(circuit: Circuit, output: str = "text", *, fold: int | None = None) -> Any:
    """Draw a circuit; the angles of a run are written as `θ` and their column, constants as numbers.

    A base point that is not 0 stands below.

    Args:
        circuit: What to draw.
        output: `text` for a string to print, `mpl` for a Matplotlib figure.
        fold: Where a new row begins: after that many characters of text (by default 100), or columns of gates in a
            figure (25).

    Raises:
        CircuitError: If there is no such output, or `fold` is below 1.
        EngineError: If Qiskit, or for a figure Matplotlib or pylatexenc, is not installed.
    """
    if output not in _FOLDS:
        raise CircuitError(f"unknown drawing {output!r}, expected one of {', '.join(_FOLDS)}")
    fold = _FOLDS[output] if fold is None else fold
    if fold < 1:
        raise CircuitError(f"fold is {fold}, expected at least 1")
    qiskit = import_package("qiskit.circuit", "draw", "qiskit")
    drawn = to_qiskit(circuit)
    drawn.global_phase = 0  # where `to_qiskit` puts the unused angles
    drawn = drawn.assign_parameters({angle: qiskit.Parameter(f"θ{angle.index}") for angle in drawn.parameters})
    if output == "text":
        return "\n".join([*drawn.draw("text", fold=fold).lines(), *_base_line(circuit)])
    import_package("pylatexenc", "draw", "pylatexenc")
    pyplot = import_package("matplotlib.pyplot", "draw", "matplotlib")
    figure = drawn.draw("mpl", fold=fold)
    pyplot.close(figure)  # only pyplot forgets it
    figure.supxlabel("".join(_base_line(circuit)))
    return figure


def _base_line(circuit: Circuit) -> list[str]:
    """Say which angles have which base."""
    places: dict[float, list[str]] = {}
    for place, base in enumerate(circuit.base):
        places.setdefault(base, []).append(f"θ{place}")
    groups = [f"{base:.6g} for {names[0]} to {names[-1]} ({len(names)})" for base, names in places.items()]
    return [f"base: {', '.join(groups)}"] if groups else []
