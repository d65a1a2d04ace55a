import sys

import pytest
from matplotlib import pyplot

from qtrl.errors import CircuitError, EngineError
from qtrl.quantum import GATES, Circuit, Gate, draw, efficient_su2


def labels(figure):
    return " ".join(text.get_text() for text in figure.axes[0].texts)


@pytest.mark.parametrize("output", ["text", "mpl"])
def test_angles_are_numbered_and_constants_are_numbers(output):
    gates = (Gate("ry", (0,), (2,)), Gate("u3", (0,), (0, 3, 2)))
    drawn = draw(Circuit(1, gates, constants=(0.25, 1.7), unused=(1,)), output)
    text = drawn if output == "text" else labels(drawn)
    assert all(word in text for word in ("θ0", "0.25", "1.7"))
    assert "θ1" not in text and "hase" not in text  # an unused angle is not drawn


def test_every_gate_can_be_drawn():
    circuit = Circuit.from_gates(3, [(name, *(2, 0)[: spec.n_qubits]) for name, spec in GATES.items()])
    texts = draw(circuit), labels(draw(circuit, "mpl"))
    assert all(f"θ{place}" in text for text in texts for place in range(circuit.n_angles))


def test_long_drawings_fold():
    circuit = efficient_su2(3, 4)
    assert max(map(len, draw(circuit).splitlines())) <= 100
    narrow = draw(circuit, fold=30).splitlines()
    assert max(map(len, narrow)) <= 30 and len(narrow) > len(draw(circuit).splitlines())
    assert draw(circuit, "mpl", fold=5).get_figheight() > draw(circuit, "mpl").get_figheight()


def test_figures_are_not_kept_open():
    before = pyplot.get_fignums()
    draw(efficient_su2(2, 1), "mpl")
    assert pyplot.get_fignums() == before


def test_an_unknown_output_and_an_impossible_fold_are_refused():
    circuit = efficient_su2(1, 0)
    with pytest.raises(CircuitError, match="unknown drawing 'latex', expected one of text, mpl"):
        draw(circuit, "latex")
    with pytest.raises(CircuitError, match="fold is 0, expected at least 1"):
        draw(circuit, fold=0)


@pytest.mark.parametrize(
    ("output", "module", "package"), [("text", "qiskit", "qiskit"), ("mpl", "pylatexenc", "pylatexenc")]
)
def test_a_missing_package_is_named(output, module, package, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(EngineError, match=f"cannot import {module} .*: pip install {package}"):
        draw(efficient_su2(1, 0), output)


def test_a_base_stands_below():
    circuit = efficient_su2(2, 0, base="plus")
    line = "base: 1.5708 for θ0 to θ1 (2), 0 for θ2 to θ3 (2)"
    assert draw(circuit).splitlines()[-1] == line
    assert draw(circuit, "mpl").get_supxlabel() == line
    assert "base" not in draw(efficient_su2(2, 0))
