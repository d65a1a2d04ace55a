import math

import pytest
import torch
from qiskit.circuit import library

from qtrl.errors import CircuitError
from qtrl.quantum import (
    ENTANGLEMENTS,
    Circuit,
    Gate,
    data_reuploading,
    efficient_su2,
    fix_angles,
    fixed_angles,
    make_engine,
)


def qiskit_gates(n_qubits, reps, rotations, entanglement):
    theirs = library.efficient_su2(n_qubits, su2_gates=list(rotations), entanglement=entanglement, reps=reps)
    return tuple(
        Gate(
            instruction.operation.name,
            tuple(theirs.find_bit(qubit).index for qubit in instruction.qubits),
            tuple(parameter.index for parameter in instruction.operation.params),
        )
        for instruction in theirs.data
    )


@pytest.mark.parametrize("entanglement", sorted(set(ENTANGLEMENTS) - {"none"}))
@pytest.mark.parametrize("n_qubits", [1, 2, 3, 4, 5])
def test_equals_qiskits_gate_for_gate_and_parameter_for_parameter(n_qubits, entanglement):
    for reps in (0, 1, 2, 3, 7):
        for rotations in (("ry", "rz"), ("rx",), ("p", "ry", "rx")):
            ours = efficient_su2(n_qubits, reps, rotations, entanglement)
            assert ours.gates == qiskit_gates(n_qubits, reps, rotations, entanglement)
            assert ours.n_angles == n_qubits * len(rotations) * (reps + 1)


def test_the_papers_circuit_has_220_angles():
    circuit = efficient_su2(10, 10)
    assert circuit.n_angles == 220
    assert sum(gate.name == "cx" for gate in circuit.gates) == 90


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_qubits": 0}, "at least 1 qubit, got n_qubits=0"),
        ({"reps": -1}, "or more repetitions, got reps=-1"),
        ({"entanglement": "ring"}, "unknown entanglement 'ring', expected one of linear, reverse_linear, full"),
        ({"rotations": ("ry", "h")}, "unknown rotation 'h', expected one or more of rx, ry, rz, p"),
        ({"rotations": ()}, "unknown rotation none"),
    ],
)
def test_impossible_sizes_and_unknown_names_are_refused(change, message):
    for family in (efficient_su2, data_reuploading):
        with pytest.raises(CircuitError, match=message):
            family(**{"n_qubits": 2, "reps": 1, **change})


def test_data_reuploading_has_at_least_one_layer():
    with pytest.raises(CircuitError, match="data_reuploading needs 1 or more repetitions, got reps=0"):
        data_reuploading(2, 0)


def test_without_entanglers_all_other_gates_and_angles_stay():
    linear, none = (efficient_su2(4, 3, entanglement=name) for name in ("linear", "none"))
    assert none.gates == tuple(gate for gate in linear.gates if gate.name != "cx")
    assert none.n_angles == linear.n_angles


def test_without_entanglers_qubits_are_independent():
    circuit = efficient_su2(3, 2, entanglement="none")
    executable = make_engine("reference").prepare(circuit)
    angles = torch.linspace(-3, 3, circuit.n_angles, dtype=torch.float64)[None]
    a, b, c = (torch.stack([1 - p, p]) for p in executable.expectations(angles)[0])
    product = torch.einsum("a,b,c->abc", a, b, c).flatten()
    assert torch.allclose(executable.probabilities(angles)[0], product, atol=1e-12)


def test_data_reuploading_repeats_the_data_before_each_entangler():
    data = (Gate("ry", (0,), (0,)), Gate("ry", (1,), (1,)))
    own = [(Gate("ry", (0,), (place,)), Gate("ry", (1,), (place + 1,))) for place in (2, 4)]
    circuit = data_reuploading(2, 2, rotations=("ry",))
    cx = Gate("cx", (0, 1))
    assert circuit.gates == (*data, cx, *own[0], *data, cx, *own[1])


@pytest.mark.parametrize("entanglement", ENTANGLEMENTS)
@pytest.mark.parametrize("reps", [1, 2, 3, 7])
def test_data_reuploading_is_efficient_su2_with_more_data(reps, entanglement):
    once = efficient_su2(3, reps, entanglement=entanglement)
    again = data_reuploading(3, reps, entanglement=entanglement)
    assert again.n_angles == once.n_angles
    uploads = [gate for gate in again.gates if gate.angles and gate.angles[0] < 6]
    assert uploads == [gate for gate in once.gates if gate.angles and gate.angles[0] < 6] * reps
    others = [[gate for gate in circuit.gates if not gate.angles or gate.angles[0] >= 6] for circuit in (once, again)]
    assert others[0] == others[1]


@pytest.mark.parametrize("reps", [1, 2, 3])
def test_expectations_are_fourier_series_in_a_data_angle_up_to_the_frequency_reps(reps):
    circuit = data_reuploading(2, reps)
    angles = torch.linspace(-2, 2.5, circuit.n_angles, dtype=torch.float64).repeat(16, 1)
    angles[:, 0] = torch.arange(16, dtype=torch.float64) * (2 * math.pi / 16)
    spectrum = torch.fft.rfft(make_engine("reference").prepare(circuit).expectations(angles), dim=0).abs()
    assert (spectrum[reps] > 1e-3).any() and spectrum[reps + 1 :].max() < 1e-10


def test_a_circuit_of_fixed_angles_ignores_its_inputs_and_keeps_its_sizes():
    circuit = efficient_su2(3, 2)
    still = fix_angles(circuit, seed=5)
    assert (still.n_qubits, still.n_angles) == (circuit.n_qubits, circuit.n_angles)
    assert [(gate.name, gate.qubits) for gate in still.gates] == [(gate.name, gate.qubits) for gate in circuit.gates]
    reference = make_engine("reference")
    angles = torch.linspace(-3, 3, 2 * circuit.n_angles, dtype=torch.float64).view(2, -1)
    first, second = reference.prepare(still).probabilities(angles)
    assert torch.equal(first, second)
    drawn = torch.tensor([still.constants], dtype=torch.float64)
    assert torch.allclose(first, reference.prepare(circuit).probabilities(drawn)[0], atol=1e-12)


def test_fixed_angles_are_uniform_over_the_circle_and_decided_by_the_seed():
    circuit = efficient_su2(10, 100)
    angles = torch.tensor(fix_angles(circuit, seed=0).constants, dtype=torch.float64)
    assert fix_angles(circuit, seed=0) == fix_angles(circuit, seed=0) != fix_angles(circuit, seed=1)
    assert angles.min() >= -math.pi and angles.max() < math.pi
    counts = torch.histc(angles, bins=10, min=-math.pi, max=math.pi)
    # 9 degrees of freedom: a value above 27.9 has probability 0.001.
    assert ((counts - 202) ** 2 / 202).sum() < 27.9


def test_fixing_angles_keeps_constants_and_shared_angles_and_leaves_out_unused_ones():
    gates = (Gate("ry", (0,), (2,)), Gate("rz", (0,), (0,)), Gate("ry", (1,), (2,)), Gate("rx", (1,), (3,)))
    still = fix_angles(Circuit(2, gates, constants=(0.25,), unused=(1,)), seed=0)
    assert still.unused == (0, 1, 2) and still.n_angles == 3 and len(still.constants) == 3
    assert [gate.angles for gate in still.gates] == [(4,), (3,), (4,), (5,)]
    assert still.constants[2] == 0.25


def test_a_circuit_without_angles_stays_as_it_is():
    bell = Circuit.from_gates(2, [("h", 0), ("cx", 0, 1)])
    assert fix_angles(bell, seed=0) == bell


def test_fixed_angles_makes_the_family_and_fixes_its_angles():
    made = fixed_angles(data_reuploading, seed=3, n_qubits=2, reps=2, entanglement="full")
    assert made == fix_angles(data_reuploading(2, 2, entanglement="full"), 3)


@pytest.mark.parametrize("family", [efficient_su2, data_reuploading])
def test_at_the_base_plus_every_probability_is_a_half_and_answers_its_angle_at_full_slope(family):
    circuit = family(3, 2, base="plus")
    assert circuit.base == (math.pi / 2,) * 3 + (0.0,) * (circuit.n_angles - 3)
    if family is efficient_su2:
        angles = torch.tensor([circuit.base], dtype=torch.float64, requires_grad=True)
        expectations = make_engine("reference").prepare(circuit).expectations(angles)
        assert torch.allclose(expectations, torch.full((1, 3), 0.5, dtype=torch.float64))


def test_the_first_ry_column_is_raised_wherever_it_stands():
    assert efficient_su2(2, 0, rotations=("rz", "ry"), base="plus").base == (0, 0, math.pi / 2, math.pi / 2)


def test_a_base_is_zero_or_numbers_as_well():
    assert efficient_su2(1, 0).base == efficient_su2(1, 0, base="zero").base == ()
    assert efficient_su2(1, 0, base=[1, -0.5]).base == (1.0, -0.5)
    assert fix_angles(efficient_su2(1, 0, base="plus"), 0).base == efficient_su2(1, 0, base="plus").base


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base": "minus"}, "unknown base 'minus', expected plus, zero or 4 numbers"),
        ({"base": "plus", "rotations": ("rx", "rz")}, "base=plus needs ry among the rotations"),
        ({"base": [1.0]}, "base has 1 numbers, expected 4 finite ones"),
        ({"base": [math.nan] * 4}, "base has 4 numbers, expected 4 finite ones"),
    ],
)
def test_an_impossible_base_is_refused(options, message):
    with pytest.raises(CircuitError, match=message):
        efficient_su2(1, 1, **options)
