"""Every readout runs on every engine, with and without readout error; new ones of either inherit the tests."""

import pytest
import torch

from qtrl.quantum import ENGINES, READOUTS, efficient_su2, make_engine, n_shots

CIRCUIT = efficient_su2(3, 1)
ON_CPU = [name for name, engine in sorted(ENGINES.items()) if "cpu" in engine.capabilities.devices]


@pytest.fixture(scope="module", params=ON_CPU)
def executable(request):
    return make_engine(request.param).prepare(CIRCUIT)


@pytest.fixture(scope="module")
def reference():
    return make_engine("reference").prepare(CIRCUIT)


def angles(dtype=torch.float32):
    generator = torch.Generator().manual_seed(4)
    return 6 * torch.rand(5, CIRCUIT.n_angles, generator=generator, dtype=torch.float64).to(dtype) - 3


def read(name, executable, readout_error, shots=50, dtype=torch.float32):
    return READOUTS[name](executable, angles(dtype), shots, torch.Generator().manual_seed(1), readout_error)


@pytest.mark.parametrize("readout_error", [0.0, 0.1])
@pytest.mark.parametrize("name", READOUTS)
def test_values_lie_in_the_unit_interval_in_the_dtype_of_the_angles(name, executable, readout_error):
    for dtype in (torch.float32, torch.float64):
        values = read(name, executable, readout_error, dtype=dtype)
        assert values.shape == (5, 3) and values.dtype == dtype and not values.requires_grad
        assert values.min() >= 0 and values.max() <= 1


@pytest.mark.parametrize("readout_error", [0.0, 0.1])
@pytest.mark.parametrize("name", READOUTS)
def test_equal_generators_give_equal_values(name, executable, readout_error):
    assert torch.equal(read(name, executable, readout_error), read(name, executable, readout_error))


@pytest.mark.parametrize("readout_error", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("name", READOUTS)
def test_values_are_those_of_the_reference_engine(name, executable, reference, readout_error):
    expected = read(name, reference, readout_error)
    if not n_shots(name, 1):
        torch.testing.assert_close(read(name, executable, readout_error), expected, atol=1e-5, rtol=0)
        return
    exact = read("expectation", reference, readout_error)
    shots = n_shots(name, 4001)
    values = read(name, executable, readout_error, shots=4001)
    if name == "majority":
        sure = (exact - 0.5).abs() > 5 * 0.5 / shots**0.5
        assert torch.equal(values[sure], (exact > 0.5).to(values.dtype)[sure])
    else:
        assert ((values - exact).abs() <= 5 * (exact * (1 - exact) / shots) ** 0.5 + 1e-6).all()  # five standard errors
