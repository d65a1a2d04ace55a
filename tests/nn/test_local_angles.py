"""Why angles stay near a base point, with noise: the qtDNN's gradient then points the right way."""

import pytest
from frozen_layer import LETTER, RECIPE, Setting, measure, observations
from torch import Tensor

FITS, REPEATS = 300, 4


@pytest.fixture(scope="module")
def rows() -> Tensor:
    """Humanoid-v4 under random actions, each observation several times."""
    return observations(2_000).repeat(REPEATS, 1)


def cosine(setting: Setting, rows: Tensor) -> float:
    """Return the cosine of a fitted qtDNN's Jacobian with the exact one, around a PreDNN that does not learn."""
    return measure(setting, rows, seed=0, fits=(FITS,), compared=64)["cosine"][str(FITS)]


def test_near_a_base_point_and_with_noise_the_gradient_points_the_right_way(rows):
    assert cosine(RECIPE, rows) > 0.9


def test_by_the_letter_of_the_paper_it_does_not(rows):
    assert abs(cosine(LETTER, rows)) < 0.3
