import pytest
import torch

from qtrl.quantum import Circuit, Gate, efficient_su2, make_engine
from qtrl.quantum.engines.fusion import MAX_PHASED, Column, Permutation, Phases, Single, make_plan

CPU = torch.device("cpu")


def angles_for(circuit, rows):
    generator = torch.Generator().manual_seed(1)
    return 6 * torch.rand(rows, circuit.n_angles, generator=generator) - 3


def agrees_with_torchquantum(circuit, rows):
    angles = angles_for(circuit, rows)
    ours, theirs = (make_engine(name).prepare(circuit) for name in ("statevector", "torchquantum"))
    return torch.allclose(ours.probabilities(angles), theirs.probabilities(angles), rtol=0, atol=1e-5)


def test_the_papers_circuit_agrees_with_torchquantum_over_several_passes():
    assert agrees_with_torchquantum(efficient_su2(10, 10), rows=60)


def test_three_groups_of_qubits_agree_with_torchquantum():
    gates = [("u3", q) for q in range(11)] + [("cx", 3, 9), ("swap", 0, 5), ("ryy", 10, 4), ("rx", 5), ("h", 6)]
    gates += [("crz", 2, 8), ("ry", 1), ("ry", 10), ("cx", 10, 0), *(("h", q) for q in range(11))]
    assert agrees_with_torchquantum(Circuit.from_gates(11, gates), rows=2)


def test_the_papers_circuit_fuses_into_eleven_columns_and_ten_permutations():
    plan = make_plan(efficient_su2(10, 10), CPU)
    assert [type(step) for step in plan.steps] == [Column, Permutation] * 10 + [Column]
    assert plan.groups == ((0, 5), (5, 5)) and len(plan.depths) == 2
    assert all(depth.slots is None for depth in plan.depths)


@pytest.mark.parametrize(
    ("n_qubits", "groups"), [(1, ((0, 1),)), (7, ((0, 4), (4, 3))), (11, ((0, 4), (4, 4), (8, 3)))]
)
def test_qubits_are_split_into_even_groups(n_qubits, groups):
    assert make_plan(Circuit(n_qubits, ()), CPU).groups == groups


def test_consecutive_permutations_compose_in_order():
    # |q0 q1>: cx(0, 1) maps 10 to 11, then swap leaves 11; 11 becomes 10 and then 01; 01 becomes 10.
    (step,) = make_plan(Circuit(2, (Gate("cx", (0, 1)), Gate("swap", (0, 1)))), CPU).steps
    images = {0: 0, 2: 3, 3: 1, 1: 2}
    assert step.sources.tolist() == [old for new in range(4) for old, image in images.items() if image == new]


def test_one_qubit_gates_of_a_column_multiply_in_order_on_each_qubit():
    plan = make_plan(Circuit.from_gates(2, [("h", 0), ("ry", 1), ("t", 0), ("s", 0)]), CPU)
    (column,) = plan.steps
    assert [[gate.name for gate in gates] for gates in column.gates] == [["h", "t", "s"], ["ry"]]
    assert len(plan.depths) == 3 and column.active == (0,)


def test_consecutive_phases_of_two_qubits_become_one_step():
    # crz(a) shifts 10 by -a/2 and 11 by a/2; rzz(b) shifts equal bits by -b/2, others by b/2; cz shifts 11 by pi.
    gates = (Gate("crz", (0, 1), (0,)), Gate("rzz", (0, 1), (1,)), Gate("rzz", (1, 0), (1,)), Gate("cz", (0, 1)))
    (step,) = make_plan(Circuit(2, gates), CPU).steps
    assert isinstance(step, Phases) and step.angles.tolist() == [0, 1]
    assert step.weights.tolist() == [[0, 0, -0.5, 0.5], [-1, 1, 1, -1]]
    relative = (step.offsets - step.offsets[0]) / torch.pi % 2
    assert torch.allclose(relative, torch.tensor([0, 0, 0, 1], dtype=torch.float64))


def test_phases_of_very_many_qubits_stay_gates_and_agree_with_torchquantum():
    n_qubits = MAX_PHASED + 1
    gates = [("h", q) for q in range(n_qubits)] + [("crz", 0, 14), ("rzz", 3, 9), ("cz", 14, 2)]
    circuit = Circuit.from_gates(n_qubits, gates + [("rx", q) for q in range(n_qubits)])
    steps = make_plan(circuit, CPU).steps
    assert [type(step) for step in steps] == [Column, Single, Single, Single, Column]
    assert agrees_with_torchquantum(circuit, rows=1)
