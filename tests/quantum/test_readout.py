import pytest
import torch

from qtrl.errors import CircuitError, ConfigError
from qtrl.quantum import READOUTS, Circuit, efficient_su2, make_engine, n_shots

COIN = Circuit.from_gates(2, [("ry", 0), ("x", 1)])


def read(name, angles, shots=100, circuit=COIN, seed=0):
    executable = make_engine("statevector").prepare(circuit)
    return READOUTS[name](executable, angles, shots, torch.Generator().manual_seed(seed))


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


def test_shots_are_booked_as_they_are_taken():
    assert [n_shots(name, 100) for name in ("sample", "mean", "majority", "most_probable", "expectation")] == [
        1,
        100,
        100,
        0,
        0,
    ]
    with pytest.raises(ConfigError, match="unknown readout 'median', expected one of sample, mean"):
        n_shots("median", 1)
