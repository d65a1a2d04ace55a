import math

import pytest
import torch

from qtrl.errors import ConfigError
from qtrl.quantum import READOUTS, efficient_su2, make_engine, mean_readout
from qtrl.quantum.readout import majority_probability

DRAWS, SHOTS = 4000, 5


@pytest.mark.parametrize("readout_error", [0.0, 0.1])
@pytest.mark.parametrize("name", READOUTS)
def test_it_is_what_many_draws_average_to(name, readout_error):
    executable = make_engine("statevector").prepare(efficient_su2(3, 1))
    generator = torch.Generator().manual_seed(1)
    angles = torch.randn(1, 12, generator=generator)
    drawn = READOUTS[name](executable, angles.expand(DRAWS, -1), SHOTS, generator, readout_error).mean(0)
    exact = mean_readout(name, executable, angles, SHOTS, readout_error)[0]
    assert exact.dtype == torch.float32
    assert (drawn - exact).abs().max() < 5 * 0.5 / math.sqrt(DRAWS)  # five standard errors of a fair bit


def test_an_unknown_readout_is_refused():
    executable = make_engine("statevector").prepare(efficient_su2(1, 0))
    with pytest.raises(ConfigError, match="unknown readout 'median'"):
        mean_readout("median", executable, torch.zeros(1, 2), 1)


@pytest.mark.parametrize("shots", [1, 2, 3, 4, 101, 1000])
def test_a_majority_of_bits_by_summing_binomial_weights(shots):
    probabilities = [0.0, 0.1, 0.5, 0.8, 1.0]
    expected = [
        sum(math.comb(shots, k) * p**k * (1 - p) ** (shots - k) for k in range(shots + 1) if 2 * k > shots)
        for p in probabilities
    ]
    got = majority_probability(torch.tensor(probabilities, dtype=torch.float64), shots)
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64), atol=1e-9, rtol=0)
