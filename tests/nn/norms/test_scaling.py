"""Scales around a quantum layer."""

import pytest
import torch

from qtrl.errors import ConfigError
from qtrl.nn import AngleScaling, OutputScaling, QuantumLayer
from qtrl.quantum import efficient_su2

ROWS = torch.tensor([[3.0, -4.0], [0.0, 0.0]])
BASE = torch.tensor([1.0, 2.0])


@pytest.mark.parametrize(
    ("bound", "largest"), [(None, [0.3, -0.4]), ("tanh", [0.0995, -0.0999]), ("norm", [0.0816, -0.1089])]
)
def test_angles_lie_around_the_base_point(bound, largest):
    angles = AngleScaling(BASE, 0.1, bound)(ROWS)
    torch.testing.assert_close(angles - BASE, torch.tensor([largest, [0.0, 0.0]]), atol=1e-4, rtol=0)


def test_readings_are_centered_and_scaled():
    assert OutputScaling(0.5, 4.0)(torch.tensor([0.0, 0.5, 1.0])).tolist() == [-2.0, 0.0, 2.0]


def test_they_have_no_state_and_follow_the_models_precision():
    layer = QuantumLayer.from_circuit(efficient_su2(2, reps=0, base="plus"), engine="statevector")
    angles = AngleScaling(layer.block.base).double()
    assert angles(torch.zeros(2, 3, layer.n_in)).dtype == torch.float64
    assert not angles.state_dict() and not OutputScaling().state_dict()
    torch.testing.assert_close(angles(torch.zeros(4))[:2], torch.full((2,), torch.pi / 2).double())


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_scales_and_bounds_are_refused(scale):
    with pytest.raises(ConfigError, match="AngleScaling: scale is .*, expected a finite number above 0"):
        AngleScaling(BASE, scale)
    with pytest.raises(ConfigError, match="OutputScaling: scale is"):
        OutputScaling(0.5, scale)
    with pytest.raises(ConfigError, match="bound is 'box', expected tanh, norm or None"):
        AngleScaling(BASE, 1.0, "box")
