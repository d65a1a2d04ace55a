import matplotlib
import pytest
from all_gates import random_circuit
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from qtrl.errors import CircuitError
from qtrl.quantum import GATES, Circuit, Gate, efficient_su2
from qtrl.quantum.drawing.layout import columns_of, span


def test_a_layered_circuit_as_text():
    assert efficient_su2(3, 1).draw() == "\n".join(
        [
            "q0: ──RY(θ0)──RZ(θ3)─╭●──RY(θ6)──RZ(θ9)──────────",
            "q1: ──RY(θ1)──RZ(θ4)─╰X─╭●───────RY(θ7)──RZ(θ10)─",
            "q2: ──RY(θ2)──RZ(θ5)────╰X───────RY(θ8)──RZ(θ11)─",
        ]
    )


def test_controls_may_stand_below_and_lines_pass_qubits_between():
    circuit = Circuit.from_gates(3, [("cx", 2, 0), ("swap", 0, 2), ("rzz", 1, 0), ("sdg", 2), ("cz", 0, 1)])
    assert circuit.draw() == "\n".join(
        [
            "q0: ─╭X─╭x─╭RZZ(θ0)─╭●─",
            "q1: ─│──│──╰RZZ(θ0)─╰Z─",
            "q2: ─╰●─╰x──S†─────────",
        ]
    )


def test_constants_are_written_as_numbers_and_angles_by_their_place():
    gates = (Gate("ry", (0,), (2,)), Gate("u3", (0,), (0, 3, 2)))
    circuit = Circuit(1, gates, constants=(0.25, -1.23456), unused=(1,))
    assert circuit.draw() == "q0: ──RY(0.25)──U3(θ0,-1.23,0.25)─"


def test_a_circuit_without_gates_is_bare_wires():
    assert Circuit(2, ()).draw() == "q0: ─\nq1: ─"


def test_labels_of_many_qubits_stay_aligned():
    lines = efficient_su2(11, 0).draw().splitlines()
    assert lines[0].startswith("q0:  ──RY(θ0)───RZ") and lines[10].startswith("q10: ──RY(θ10)──RZ")


@pytest.mark.parametrize("fold", [None, 40, 80, 1])
def test_long_drawings_fold_into_blocks_that_together_hold_every_gate(fold):
    circuit = efficient_su2(10, 10)
    blocks = circuit.draw(fold=fold).split("\n\n")
    for block in blocks:
        lines = block.splitlines()
        assert len(lines) == 10 and len({len(line) for line in lines}) == 1
        assert len(lines[0]) <= (fold or 100) or fold == 1
    assert all("".join(blocks).count(f"(θ{place})") == 1 for place in range(220))
    assert "".join(blocks).count("●") == 90
    if fold == 1:
        assert len(blocks) == len(columns_of(circuit))


@pytest.mark.parametrize("seed", range(4))
def test_gates_stand_as_far_left_as_they_can_and_never_cross(seed):
    circuit = random_circuit(4, seed)
    columns = columns_of(circuit)
    assert sorted(map(repr, (gate for gates in columns for gate in gates))) == sorted(map(repr, circuit.gates))
    before = set()
    for gates in columns:
        crossed = [qubit for gate in gates for qubit in range(span(gate)[0], span(gate)[1] + 1)]
        assert len(crossed) == len(set(crossed))
        assert not before or all(before & set(range(span(gate)[0], span(gate)[1] + 1)) for gate in gates)
        before = set(crossed)
    for qubit in range(4):
        placed = [gate for gates in columns for gate in gates if qubit in gate.qubits]
        assert placed == [gate for gate in circuit.gates if qubit in gate.qubits]


@pytest.mark.parametrize("output", ["text", "mpl"])
@pytest.mark.parametrize("name", GATES)
def test_every_gate_can_be_drawn(name, output):
    circuit = Circuit.from_gates(3, [(name, *(2, 0)[: GATES[name].n_qubits])])
    drawn = circuit.draw(output)
    text = drawn if output == "text" else " ".join(text.get_text() for text in drawn.axes[0].texts)
    for place in range(GATES[name].n_angles):
        assert f"θ{place}" in text
    if GATES[name].n_angles or GATES[name].n_qubits == 1:
        assert name.removeprefix("c").removesuffix("dg").upper() in text


def test_a_picture_holds_every_angle():
    figure = efficient_su2(10, 10).draw("mpl")
    assert isinstance(figure, Figure)
    assert {f"θ{place}" for place in range(220)} <= {text.get_text() for text in figure.axes[0].texts}


def test_the_labels_of_a_picture_stay_inside_it_and_off_each_other():
    figure = efficient_su2(5, 5).draw("mpl")
    axes = figure.axes[0]
    FigureCanvasAgg(figure).draw()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1 for box in boxes)
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])


def test_labels_of_a_picture_fit_their_boxes():
    gates = [("u3", 0), ("rxx", 0, 1)] * 8
    figure = Circuit.from_gates(2, gates).draw("mpl")
    FigureCanvasAgg(figure).draw()
    boxes = [patch.get_window_extent() for patch in figure.axes[0].patches]
    for text in figure.axes[0].texts:
        if not text.get_text().startswith("q"):
            extent = text.get_window_extent()
            assert any(box.x0 < extent.x0 and extent.x1 < box.x1 and box.overlaps(extent) for box in boxes)


def test_pictures_fold_by_columns():
    circuit = Circuit.from_gates(1, [("h", 0)] * 7)
    heights = [circuit.draw("mpl", fold=fold).get_figheight() for fold in (7, 4, 2)]
    assert heights == [heights[0], 2 * heights[0], 4 * heights[0]]
    assert sum(text.get_text() == "q0" for text in circuit.draw("mpl", fold=2).axes[0].texts) == 4


def test_drawing_leaves_matplotlibs_global_state_alone():
    before = dict(matplotlib.rcParams)
    efficient_su2(2, 1).draw("mpl")
    assert dict(matplotlib.rcParams) == before


def test_unknown_drawings_are_refused_in_one_line():
    circuit = efficient_su2(1, 0)
    with pytest.raises(CircuitError, match="unknown drawing 'latex', expected one of text, mpl"):
        circuit.draw("latex")
    with pytest.raises(CircuitError, match="fold is 0, expected at least 1"):
        circuit.draw(fold=0)
