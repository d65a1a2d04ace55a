import math

import pytest
import torch
from all_gates import random_circuit
from gradient_checks import autograd, random_angles, seeded, weights

from qtrl.errors import CircuitError, ConfigError
from qtrl.quantum import Circuit, Gate, efficient_su2, make_engine
from qtrl.quantum.gradients import spsa, spsa_circuits


def prepare(circuit: Circuit):
    return make_engine("statevector").prepare(circuit)


@pytest.mark.parametrize("step", [0.01, 0.5])
def test_one_angle_gives_the_central_difference(step: float) -> None:
    executable = prepare(Circuit.from_gates(1, [("ry", 0)]))
    angles = torch.tensor([[0.3], [-2.0]], dtype=torch.float64)
    estimate = spsa(executable, angles, torch.ones(2, 1, dtype=torch.float64), generator=seeded(), step=step)
    torch.testing.assert_close(estimate, torch.sin(angles) / 2 * math.sin(step) / step)  # of (1 - cos) / 2


def test_two_independent_angles_are_right_up_to_the_sign_of_the_other() -> None:
    executable = prepare(Circuit.from_gates(2, [("ry", 0), ("ry", 1)]))
    angles = torch.tensor([[0.3, -2.0]], dtype=torch.float64)
    slopes = torch.sin(angles[0]) / 2 * math.sin(0.1) / 0.1
    rows = 50
    estimates = spsa(executable, angles.expand(rows, -1), torch.ones(rows, 2).double(), generator=seeded(), step=0.1)
    alike, opposed = slopes.sum().expand(2), torch.stack([slopes[0] - slopes[1], slopes[1] - slopes[0]])
    is_alike = torch.isclose(estimates, alike).all(dim=1)
    assert (is_alike | torch.isclose(estimates, opposed).all(dim=1)).all()
    assert 0 < is_alike.sum() < rows


@pytest.mark.parametrize(("shots", "step"), [(None, 0.01), (100, 0.05)])
def test_the_mean_over_directions_is_the_gradient(shots: int | None, step: float) -> None:
    executable = prepare(efficient_su2(2, 1))
    rows = 4000
    angles = random_angles(executable.circuit, 1).expand(rows, -1)
    grad_out = weights(executable, 1).expand(rows, -1)
    estimates = spsa(executable, angles, grad_out, generator=seeded(), step=step, shots=shots)
    exact = autograd(executable, angles[:1], grad_out[:1])[0]
    # The bias is step**2 / 6 times 1 + 3 * 7 third derivatives, each at most 1/2 for a qubit.
    bias = 2 * step**2 * grad_out[0].abs().sum()
    error = 5 * estimates.std(dim=0) / rows**0.5 + bias
    assert ((estimates.mean(dim=0) - exact).abs() <= error).all()
    assert exact.abs().max() > 3 * error.max()


def test_unused_angles_get_nothing() -> None:
    executable = prepare(random_circuit(2, seed=3))
    unused = list(executable.circuit.unused)
    estimate = spsa(executable, random_angles(executable.circuit, 2), weights(executable, 2), generator=seeded())
    assert unused and not estimate[:, unused].any()
    assert estimate.any(dim=0).sum() == executable.circuit.n_angles - len(unused)


def test_repetitions_average_what_single_ones_draw() -> None:
    executable = prepare(efficient_su2(2, 1))
    angles, grad_out = random_angles(executable.circuit, 3), weights(executable, 3)
    together = spsa(executable, angles, grad_out, generator=seeded(), repetitions=4, shots=7)
    generator = seeded()
    singles = [spsa(executable, angles, grad_out, generator=generator, shots=7) for _ in range(4)]
    torch.testing.assert_close(together, torch.stack(singles).mean(dim=0))
    assert spsa_circuits(4) == 8


def test_a_readout_error_scales_the_estimate() -> None:
    executable = prepare(efficient_su2(2, 1))
    angles, grad_out = random_angles(executable.circuit, 3), weights(executable, 3)
    clean, misread = (spsa(executable, angles, grad_out, generator=seeded(), readout_error=p) for p in (0.0, 0.2))
    torch.testing.assert_close(misread, 0.6 * clean)


@pytest.mark.parametrize("circuit", [Circuit(1, (Gate("h", (0,)),), unused=(0,)), Circuit(1, ()), efficient_su2(2, 0)])
def test_no_rows_and_no_angles_are_no_error(circuit: Circuit) -> None:
    executable = prepare(circuit)
    for rows in (0, 2):
        estimate = spsa(executable, random_angles(circuit, rows), weights(executable, rows), generator=seeded())
        assert estimate.shape == (rows, circuit.n_angles)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"step": 0.0}, "step is 0.0, expected radians above 0"),
        ({"step": math.inf}, "step is inf"),
        ({"step": math.nan}, "step is nan"),
        ({"repetitions": 0}, "repetitions is 0, expected a whole number of at least 1"),
        ({"repetitions": 1.5}, "repetitions is 1.5"),
        ({"readout_error": 0.7}, "readout_error is 0.7"),
    ],
)
def test_impossible_numbers_are_refused(numbers: dict, message: str) -> None:
    executable = prepare(efficient_su2(2, 0))
    with pytest.raises(ConfigError, match=message):
        spsa(executable, torch.zeros(1, 4), torch.zeros(1, 2), generator=seeded(), **numbers)


def test_tensors_that_do_not_fit_are_refused() -> None:
    executable = prepare(efficient_su2(2, 0))
    with pytest.raises(CircuitError, match="grad_out has shape"):
        spsa(executable, torch.zeros(1, 4), torch.zeros(2, 2), generator=seeded())
