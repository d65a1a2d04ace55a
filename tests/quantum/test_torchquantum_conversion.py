import pytest
import torch
from all_gates import CONVERTED

from qtrl.errors import CircuitError
from qtrl.quantum import (
    GATES,
    Circuit,
    Gate,
    from_torchquantum,
    make_engine,
    to_torchquantum,
)
from qtrl.quantum.conversion.torchquantum import TORCHQUANTUM_NAMES


@pytest.fixture(params=CONVERTED)
def circuit(request):
    return CONVERTED[request.param]


def theirs(encoder, inputs, n_qubits):
    """Probabilities that TorchQuantum itself computes, for inputs (B, columns)."""
    from torchquantum import GeneralEncoder, QuantumDevice

    device = QuantumDevice(n_qubits, bsz=len(inputs))
    GeneralEncoder(encoder)(device, inputs)
    return torch.view_as_real(device.get_states_1d()).square().sum(dim=-1)


def ours(circuit, angles):
    return make_engine("statevector").prepare(circuit).probabilities(angles)


def some_angles(count):
    return 6 * torch.rand(3, count, generator=torch.Generator().manual_seed(0)) - 3


def test_there_and_back_is_the_same_circuit(circuit):
    encoder = to_torchquantum(circuit)
    assert from_torchquantum(encoder, circuit.n_qubits, circuit.constants) == circuit


def test_probabilities_are_those_of_torchquantum_with_the_constants_as_inputs(circuit):
    angles = some_angles(circuit.n_angles)
    inputs = torch.cat([angles, torch.tensor(circuit.constants).expand(3, -1)], dim=1)
    expected = theirs(to_torchquantum(circuit), inputs, circuit.n_qubits)
    assert torch.allclose(ours(circuit, angles), expected, atol=1e-5)


def test_the_list_is_what_an_encoder_takes():
    circuit = Circuit(2, (Gate("ry", (1,), (0,)), Gate("cx", (1, 0)), Gate("u3", (0,), (1, 1, 2))))
    assert to_torchquantum(circuit) == [
        {"input_idx": [0], "func": "ry", "wires": [1]},
        {"input_idx": None, "func": "cx", "wires": [1, 0]},
        {"input_idx": [1, 1, 2], "func": "u3", "wires": [0]},
    ]


def test_lists_of_their_library_are_read():
    from torchquantum import encoder_op_list_name_dict

    for name in ("4x4_ryzxy", "4x4_u3_h_rx", "6x6_ryzxy"):
        encoder = encoder_op_list_name_dict[name]
        circuit = from_torchquantum(encoder)
        angles = some_angles(circuit.n_angles)
        assert torch.allclose(ours(circuit, angles), theirs(encoder, angles, circuit.n_qubits), atol=1e-5)


@pytest.mark.parametrize("name", TORCHQUANTUM_NAMES)
def test_their_other_names_mean_the_same_gate(name):
    spec = GATES[TORCHQUANTUM_NAMES[name]]
    mixing = [{"input_idx": [wire], "func": "ry", "wires": [wire]} for wire in (0, 1)]
    places = [2, 3, 4][: spec.n_angles]
    gate = {"input_idx": places, "func": name, "wires": [1, 0][: spec.n_qubits]}
    encoder = [*mixing, gate, *mixing]
    circuit = from_torchquantum(encoder)
    gate["func"] = {"u1": "phaseshift"}.get(name, name)  # their u1 raises a NameError in torchquantum-ng 0.2
    angles = some_angles(2 + spec.n_angles)
    assert torch.allclose(ours(circuit, angles), theirs(encoder, angles, 2), atol=1e-5)


def test_inputs_that_are_skipped_become_unused_angles():
    circuit = from_torchquantum([{"input_idx": [3], "func": "ry", "wires": [0]}])
    assert circuit == Circuit(1, (Gate("ry", (0,), (3,)),), unused=(0, 1, 2))


def test_one_wire_or_input_may_stand_without_a_list_and_gates_without_angles_ignore_inputs():
    encoder = [{"input_idx": 0, "func": "ry", "wires": 1}, {"func": "h", "wires": 0, "input_idx": [7]}]
    assert from_torchquantum(encoder) == Circuit(2, (Gate("ry", (1,), (0,)), Gate("h", (0,))))
    assert from_torchquantum(encoder, n_qubits=5).n_qubits == 5


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ([{"func": "sx", "wires": [0]}], "entry 0 of the encoder is the gate 'sx', expected one of rx, ry"),
        ([{"func": "h", "wires": [0]}, {"wires": [0]}], "entry 1 of the encoder is .*'wires'.*, expected the form"),
        ([{"func": "h"}], "entry 0 of the encoder is .*, expected the form"),
        ([("h", 0)], "entry 0 of the encoder is .*, expected the form"),
        ([{"func": ["h"], "wires": [0]}], "entry 0 of the encoder is the gate .*h.*, expected one of rx, ry"),
        ([{"func": "ry", "wires": [0], "input_idx": ["a"]}], "entry 0 of the encoder is .*, expected the form"),
        ([{"func": "ry", "wires": [0], "input_idx": None}], r"gate 0 \(ry on qubits \(0,\)\) has 0 angles, expected 1"),
        ([{"func": "ry", "wires": [0], "input_idx": [-1]}], "negative angle index -1"),
        ([{"func": "cx", "wires": [0]}], "acts on 1 qubits, expected 2"),
        ([], "at least 1 qubit"),
    ],
)
def test_malformed_lists_are_refused_in_one_line(encoder, message):
    with pytest.raises(CircuitError, match=message) as refused:
        from_torchquantum(encoder)
    assert "\n" not in str(refused.value)
