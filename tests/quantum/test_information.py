import math

import pytest
import torch

from qtrl.quantum import Circuit, make_engine
from qtrl.quantum.information import binary_entropy, spread, state_entropy, total_correlation

QUARTER = 2 - 0.75 * math.log2(3)  # entropy in bits of a bit that is 1 in a quarter of cases


def test_entropy_of_a_bit_by_hand():
    probabilities = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0], dtype=torch.float64)
    expected = torch.tensor([0.0, QUARTER, 1.0, QUARTER, 0.0], dtype=torch.float64)
    torch.testing.assert_close(binary_entropy(probabilities), expected)


@pytest.mark.parametrize(
    ("probabilities", "joint", "correlation"),
    [
        ([1.0, 0.0, 0.0, 0.0], 0.0, 0.0),
        ([0.25, 0.25, 0.25, 0.25], 2.0, 0.0),
        ([0.5, 0.0, 0.0, 0.5], 1.0, 1.0),  # a Bell pair
        ([0.5, 0.5, 0.0, 0.0], 1.0, 0.0),  # the second qubit alone is open
        ([0.5625, 0.1875, 0.1875, 0.0625], 2 * QUARTER, 0.0),  # two independent quarters
        ([0.75, 0.0, 0.0, 0.25], QUARTER, QUARTER),
    ],
)
def test_states_of_two_qubits_by_hand(probabilities, joint, correlation):
    rows = torch.tensor([probabilities, probabilities], dtype=torch.float64)
    torch.testing.assert_close(state_entropy(rows), rows.new_full((2,), joint))
    torch.testing.assert_close(total_correlation(rows), rows.new_full((2,), correlation), atol=1e-12, rtol=0)


@pytest.mark.parametrize("n_qubits", [2, 3, 5])
def test_a_ghz_state_has_the_largest_correlation(n_qubits):
    gates = [("h", 0), *(("cx", qubit, qubit + 1) for qubit in range(n_qubits - 1))]
    executable = make_engine("reference").prepare(Circuit.from_gates(n_qubits, gates))
    probabilities = executable.probabilities(torch.zeros(1, 0, dtype=torch.float64))
    assert state_entropy(probabilities).item() == pytest.approx(1)
    assert total_correlation(probabilities).item() == pytest.approx(n_qubits - 1)


def test_random_states_hold_all_but_six_tenths_of_their_bits():
    generator = torch.Generator().manual_seed(0)
    amplitudes = torch.randn(200, 2**10, 2, generator=generator, dtype=torch.float64)
    probabilities = amplitudes.square().sum(-1)
    probabilities /= probabilities.sum(1, keepdim=True)
    missing = (1 - 0.5772156649) / math.log(2)  # Euler's constant: Porter-Thomas statistics
    assert state_entropy(probabilities).mean().item() == pytest.approx(10 - missing, abs=0.01)
    assert total_correlation(probabilities).mean().item() == pytest.approx(missing, abs=0.02)


def test_spread_is_the_deviation_over_rows_averaged_over_qubits():
    expectations = torch.tensor([[0.0, 0.25], [1.0, 0.25], [0.0, 0.5], [1.0, 0.5]])
    assert spread(expectations).item() == pytest.approx((0.5 + 0.125) / 2)
    assert spread(expectations[:1]).item() == 0
