import math

import pytest
import torch

from qtrl.errors import CircuitError, ConfigError
from qtrl.quantum import READOUTS, Circuit, efficient_su2, make_engine, mean_readout, n_shots, readout_needs_exact
from qtrl.quantum.readout import majority_probability

COIN = Circuit.from_gates(2, [("ry", 0), ("x", 1)])


def read(name, angles, shots=100, circuit=COIN, seed=0, **options):
    executable = make_engine("statevector").prepare(circuit)
    return READOUTS[name](executable, angles, shots, torch.Generator().manual_seed(seed), **options)


def confused(probabilities, readout_error):
    """The distribution (2**n,) of the strings that are read: one confusion matrix over all strings."""
    matrix = torch.ones(1, 1, dtype=torch.float64)
    flip = torch.tensor([[1 - readout_error, readout_error], [readout_error, 1 - readout_error]], dtype=torch.float64)
    while len(matrix) < len(probabilities):
        matrix = torch.kron(matrix, flip)
    return matrix @ probabilities.double()


def chi_square(counts, expected):
    assert expected.min() > 5
    return ((counts - expected) ** 2 / expected).sum()


@pytest.mark.parametrize("name", READOUTS)
def test_readouts_give_one_number_in_0_1_for_each_qubit_without_gradient(name):
    circuit = efficient_su2(3, 1)
    angles = torch.linspace(-3, 3, 4 * 12).view(4, 12).double().requires_grad_()
    values = read(name, angles, circuit=circuit)
    assert values.shape == (4, 3) and values.dtype == torch.float64 and not values.requires_grad
    assert ((values >= 0) & (values <= 1)).all()
    if name in ("sample", "majority", "most_probable"):
        assert ((values == 0) | (values == 1)).all()


def test_sample_reads_one_shot_whatever_the_shots():
    angles = torch.full((400, 1), torch.pi / 2)
    values = read("sample", angles, shots=7)
    assert torch.equal(values, read("sample", angles, shots=1))
    assert 150 < values[:, 0].sum() < 250 and (values[:, 1] == 1).all()


def test_mean_is_the_average_of_the_shots_of_the_same_generator():
    angles = torch.tensor([[0.9]])
    bits = make_engine("statevector").prepare(COIN).sample(angles, 50, torch.Generator().manual_seed(3))
    assert torch.equal(read("mean", angles, shots=50, seed=3), bits.mean(dim=1))


def test_majority_votes_and_reads_a_tie_as_0():
    angles = torch.full((300, 1), torch.pi / 2)
    means, votes = read("mean", angles, shots=4), read("majority", angles, shots=4)
    assert (means[:, 0] == 0.5).any()
    assert torch.equal(votes, (means > 0.5).float())


def test_most_probable_reads_the_string_and_not_the_likeliest_bit_of_each_qubit():
    # P(00) = 0.4, P(10) = P(11) = 0.3: the string is 00 though qubit 0 reads 1 with probability 0.6.
    circuit = Circuit.from_gates(2, [("ry", 0), ("cry", 0, 1)])
    angles = torch.tensor([[2 * torch.asin(torch.tensor(0.6).sqrt()), torch.pi / 2]])
    assert torch.equal(read("most_probable", angles, circuit=circuit), torch.zeros(1, 2))
    assert torch.allclose(read("expectation", angles, circuit=circuit), torch.tensor([[0.6, 0.3]]))


def test_exact_readouts_need_no_generator_and_random_ones_ask_for_it():
    executable = make_engine("statevector").prepare(COIN)
    angles = torch.tensor([[0.3]])
    for name in READOUTS:
        if n_shots(name, 10):
            with pytest.raises(CircuitError, match=r"give it a torch\.Generator"):
                READOUTS[name](executable, angles, 10, None)
        else:
            assert READOUTS[name](executable, angles, 10, None).shape == (1, 2)


def test_random_readouts_refuse_zero_shots():
    for name in ("mean", "majority"):
        with pytest.raises(CircuitError, match="shots is 0"):
            read(name, torch.zeros(1, 1), shots=0)


def test_readouts_without_shots_need_an_exact_engine():
    assert [n_shots(name, 100) for name in ("sample", "mean", "majority", "most_probable", "expectation")] == [
        1,
        100,
        100,
        0,
        0,
    ]
    assert [name for name in READOUTS if readout_needs_exact(name)] == ["most_probable", "expectation"]
    with pytest.raises(ConfigError, match="unknown readout 'median', expected one of sample, mean"):
        n_shots("median", 1)


@pytest.mark.parametrize("name", READOUTS)
def test_without_readout_error_nothing_more_is_drawn_or_computed(name):
    circuit = efficient_su2(3, 1)
    angles = torch.linspace(-3, 3, 4 * 12).view(4, 12)
    executable = make_engine("statevector").prepare(circuit)
    generator, other = (torch.Generator().manual_seed(2) for _ in range(2))
    values = READOUTS[name](executable, angles, 9, generator, 0.0)
    shots = n_shots(name, 9)
    marginals = executable.marginals(angles, shots, other) if shots else None
    assert torch.equal(generator.get_state(), other.get_state())
    if shots:
        assert torch.equal(values, (marginals > 0.5).float() if name == "majority" else marginals)
    elif name == "expectation":
        assert torch.equal(values, executable.expectations(angles))


def test_expectations_with_readout_error_move_towards_one_half():
    angles = torch.tensor([[0.9]], dtype=torch.float64)
    one = torch.sin(torch.tensor(0.45, dtype=torch.float64)) ** 2
    values = read("expectation", angles, readout_error=0.1)
    assert torch.allclose(values, torch.stack([one * 0.9 + (1 - one) * 0.1, one.new_tensor(0.9)])[None], atol=1e-12)
    assert torch.equal(read("expectation", angles, readout_error=0.5), torch.full((1, 2), 0.5, dtype=torch.float64))


def test_most_probable_is_found_among_the_strings_as_they_are_read():
    # P(00) = 0.4, P(10) = P(11) = 0.3. With a flip probability of 0.4 a string is read right with 0.36, with one error
    # with 0.24 and with two with 0.16: 00 is read with 0.264, 10 with 0.276.
    circuit = Circuit.from_gates(2, [("ry", 0), ("cry", 0, 1)])
    angles = torch.tensor([[2 * torch.asin(torch.tensor(0.6).sqrt()), torch.pi / 2]])
    assert torch.equal(read("most_probable", angles, circuit=circuit), torch.tensor([[0.0, 0.0]]))
    assert torch.equal(read("most_probable", angles, circuit=circuit, readout_error=0.4), torch.tensor([[1.0, 0.0]]))


@pytest.mark.parametrize("readout_error", [0.02, 0.3])
def test_most_probable_agrees_with_the_confusion_matrix_over_all_strings(readout_error):
    circuit = efficient_su2(4, 1)
    angles = torch.linspace(-3, 3, 20 * 16, dtype=torch.float64).view(20, 16)
    values = read("most_probable", angles, circuit=circuit, readout_error=readout_error)
    probabilities = make_engine("reference").prepare(circuit).probabilities(angles)
    expected = torch.stack([confused(row, readout_error).argmax() for row in probabilities])
    assert torch.equal((values @ torch.tensor([8.0, 4.0, 2.0, 1.0], dtype=torch.float64)).long(), expected)


@pytest.mark.parametrize("readout_error", [0.05, 0.3, 0.5])
def test_strings_of_one_shot_follow_the_confused_distribution(readout_error):
    circuit = efficient_su2(3, 2)
    angles = torch.linspace(-2, 2, 18)
    bits = read("sample", angles.expand(20_000, -1), circuit=circuit, readout_error=readout_error)
    assert ((bits == 0) | (bits == 1)).all()
    counts = torch.bincount((bits @ torch.tensor([4.0, 2.0, 1.0])).long(), minlength=8)
    probabilities = make_engine("reference").prepare(circuit).probabilities(angles[None].double())[0]
    # 7 degrees of freedom: a value above 24.3 has probability 0.001.
    assert chi_square(counts, 20_000 * confused(probabilities, readout_error)) < 24.3


@pytest.mark.parametrize("shots", [4, 200])
@pytest.mark.parametrize("readout_error", [0.1, 0.4])
def test_counts_of_several_shots_follow_the_binomial_law_of_flipped_bits(readout_error, shots):
    rows = 5_000
    means = read("mean", torch.full((rows, 1), 0.9), shots=shots, readout_error=readout_error)
    ones = (means.double() * shots).round()
    assert torch.allclose(means.double() * shots, ones, atol=1e-4)
    one = math.sin(0.45) ** 2 * (1 - 2 * readout_error) + readout_error
    for qubit, p in enumerate((one, 1 - readout_error)):
        law = torch.tensor([math.comb(shots, k) * p**k * (1 - p) ** (shots - k) for k in range(shots + 1)])
        few = rows * law < 6  # gathered into the class of the most probable count
        law[law.argmax()] += law[few].sum()
        counts = torch.bincount(ones[:, qubit].long(), minlength=shots + 1)
        counts[law.argmax()] += counts[few].sum()
        freedom = int((~few).sum()) - 1
        limit = freedom + 3.1 * math.sqrt(2 * freedom) + 6  # a value above it has a probability of about 0.001
        assert chi_square(counts[~few], rows * law[~few]) < limit


def test_flips_of_two_qubits_are_independent_of_each_other():
    ghz = Circuit.from_gates(2, [("h", 0), ("cx", 0, 1)])
    bits = read("sample", torch.zeros(20_000, 0), circuit=ghz, readout_error=0.2)
    # Two perfectly correlated bits differ if one of the two is flipped.
    share = (bits[:, 0] != bits[:, 1]).double().mean()
    assert abs(share - 2 * 0.2 * 0.8) < 5 * math.sqrt(0.32 * 0.68 / 20_000)  # five standard errors


def test_majority_votes_over_the_bits_that_are_read():
    angles = torch.full((50, 1), 0.9)
    means, votes = (read(name, angles, shots=5, readout_error=0.3) for name in ("mean", "majority"))
    assert torch.equal(votes, (means > 0.5).float())


@pytest.mark.parametrize("name", READOUTS)
@pytest.mark.parametrize("readout_error", [-0.1, 0.6, float("nan")])
def test_what_is_no_probability_up_to_one_half_is_refused(name, readout_error):
    with pytest.raises(ConfigError, match=f"readout_error is {readout_error}, expected a probability from 0 to 0.5"):
        read(name, torch.zeros(1, 1), readout_error=readout_error)


@pytest.mark.parametrize("name", ["sample", "mean"])
def test_rows_that_an_accelerator_could_not_compute_stay_nan(name):
    class Broken:
        def marginals(self, angles, shots, generator):
            return torch.tensor([[0.0, 1.0], [math.nan, math.nan]])

    values = READOUTS[name](Broken(), torch.zeros(2, 1), 10, torch.Generator().manual_seed(0), 0.3)
    assert values[0].isfinite().all() and values[1].isnan().all()


def test_no_rows_are_read_as_no_rows():
    for name in READOUTS:
        assert read(name, torch.zeros(0, 1), readout_error=0.2).shape == (0, 2)


@pytest.mark.parametrize("readout_error", [0.0, 0.1])
@pytest.mark.parametrize("name", READOUTS)
def test_the_exact_mean_is_what_many_draws_average_to(name, readout_error):
    draws, shots = 4000, 5
    executable = make_engine("statevector").prepare(efficient_su2(3, 1))
    generator = torch.Generator().manual_seed(1)
    angles = torch.randn(1, 12, generator=generator)
    drawn = READOUTS[name](executable, angles.expand(draws, -1), shots, generator, readout_error).mean(0)
    exact = mean_readout(name, executable, angles, shots, readout_error)[0]
    assert exact.dtype == torch.float32
    assert (drawn - exact).abs().max() < 5 * 0.5 / math.sqrt(draws)  # five standard errors of a fair bit


@pytest.mark.parametrize("shots", [1, 2, 3, 4, 101, 1000])
def test_a_majority_of_bits_by_summing_binomial_weights(shots):
    probabilities = [0.0, 0.1, 0.5, 0.8, 1.0]
    expected = [
        sum(math.comb(shots, k) * p**k * (1 - p) ** (shots - k) for k in range(shots + 1) if 2 * k > shots)
        for p in probabilities
    ]
    got = majority_probability(torch.tensor(probabilities, dtype=torch.float64), shots)
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64), atol=1e-9, rtol=0)
