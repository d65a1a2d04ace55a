"""Every readout runs on every engine, with and without readout error; new ones of either inherit the tests."""

import pytest
import torch
from engines_on_cpu import CONTRACTED

from qtrl.errors import EngineError
from qtrl.quantum import READOUTS, efficient_su2, n_shots, readout_needs_exact

CIRCUIT = efficient_su2(3, 1)
PAIRS = [
    (name, engine)
    for name in READOUTS
    for engine in CONTRACTED
    if CONTRACTED[engine].capabilities.exact or not readout_needs_exact(name)
]


@pytest.fixture(scope="module")
def executables():
    return {name: engine().prepare(CIRCUIT) for name, engine in CONTRACTED.items()}


def angles(dtype=torch.float32):
    generator = torch.Generator().manual_seed(4)
    return 6 * torch.rand(5, CIRCUIT.n_angles, generator=generator, dtype=torch.float64).to(dtype) - 3


def read(name, executable, readout_error, shots=50, dtype=torch.float32):
    return READOUTS[name](executable, angles(dtype), shots, torch.Generator().manual_seed(1), readout_error)


@pytest.mark.parametrize("readout_error", [0.0, 0.1])
@pytest.mark.parametrize(("name", "engine"), PAIRS)
def test_values_lie_in_the_unit_interval_in_the_dtype_of_the_angles(name, engine, executables, readout_error):
    executable = executables[engine]
    for dtype in (torch.float32, torch.float64):
        values = read(name, executable, readout_error, dtype=dtype)
        assert values.shape == (5, 3) and values.dtype == dtype and not values.requires_grad
        assert values.min() >= 0 and values.max() <= 1


@pytest.mark.parametrize("readout_error", [0.0, 0.1])
@pytest.mark.parametrize(("name", "engine"), PAIRS)
def test_equal_generators_give_equal_values(name, engine, executables, readout_error):
    first, again = (read(name, executables[engine], readout_error) for _ in range(2))
    assert torch.equal(first, again)


@pytest.mark.parametrize("readout_error", [0.0, 0.1, 0.3])
@pytest.mark.parametrize(("name", "engine"), PAIRS)
def test_values_are_those_of_the_reference_engine(name, engine, executables, readout_error):
    executable, reference = executables[engine], executables["reference"]
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


@pytest.mark.parametrize(
    ("name", "engine"), [(name, engine) for name in READOUTS for engine in CONTRACTED if (name, engine) not in PAIRS]
)
def test_exact_readouts_are_refused_on_an_engine_that_can_only_sample(name, engine, executables):
    with pytest.raises(EngineError, match=f"readout {name}: engine '{engine}' can only sample"):
        read(name, executables[engine], 0.0)
