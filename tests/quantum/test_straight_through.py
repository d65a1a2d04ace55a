import dataclasses

import pytest
import torch
from engines_on_cpu import ON_CPU
from gradient_checks import autograd, random_angles, seeded, weights

from qtrl.errors import EngineError
from qtrl.quantum import READOUTS, Executable, efficient_su2, make_engine
from qtrl.quantum.gradients import exact_expectations, measure, straight_through


@pytest.fixture
def executable() -> Executable:
    return make_engine("statevector").prepare(efficient_su2(2, 1))


@pytest.mark.parametrize("engine", ON_CPU)
def test_no_raw_sample_carries_a_gradient(engine: str) -> None:
    executable = make_engine(engine).prepare(efficient_su2(2, 1))
    angles = random_angles(executable.circuit, 3, torch.float32).requires_grad_()
    read = {name: readout(executable, angles, 5, seeded()) for name, readout in READOUTS.items()}
    read |= {f"measure {shots}": measure(executable, angles, shots=shots, generator=seeded()) for shots in (None, 5)}
    read |= {
        "sampled": executable.sample(angles, 5, seeded()),
        "marginals": executable.marginals(angles, 5, seeded()),
    }
    for name, values in read.items():
        assert values.grad_fn is None and not values.requires_grad, name
        with pytest.raises(RuntimeError, match="does not require grad"):
            values.sum().backward()


def test_the_value_is_the_one_given_and_the_gradient_that_of_the_expectations(executable: Executable) -> None:
    angles, grad_out = random_angles(executable.circuit, 3), weights(executable, 3)
    value = executable.sample(angles, 1, seeded())[:, 0]
    leaf = angles.clone().requires_grad_()
    out = straight_through(executable, leaf, value)
    out.backward(grad_out)
    assert torch.equal(out, value)
    torch.testing.assert_close(leaf.grad, autograd(executable, angles, grad_out))


def test_a_readout_error_moves_values_towards_a_half(executable: Executable) -> None:
    angles = random_angles(executable.circuit, 3)
    exact = executable.expectations(angles)
    torch.testing.assert_close(exact_expectations(executable, angles, 0.1), 0.1 + 0.8 * exact)
    torch.testing.assert_close(
        exact_expectations(executable, angles, 0.1), measure(executable, angles, readout_error=0.1)
    )


def test_an_engine_without_gradients_is_refused_with_those_that_have_them(executable: Executable) -> None:
    executable.capabilities = dataclasses.replace(executable.capabilities, differentiable=False)
    angles = random_angles(executable.circuit, 1)
    for use in (exact_expectations, lambda *given: straight_through(*given, angles[:, :2])):
        with pytest.raises(
            EngineError, match=r"'statevector' has no exact gradient: take one of .*reference.*parameter"
        ):
            use(executable, angles)
