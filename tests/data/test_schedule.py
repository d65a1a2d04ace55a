from fractions import Fraction

import pytest

from qtrl.data import Schedule
from qtrl.errors import ConfigError


@pytest.mark.parametrize(
    ("rate", "exact"), [(0.1, (1, 10)), (0.7, (7, 10)), (1e-5, (1, 10**5)), (2, (2, 1)), (1.5, (3, 2))]
)
def test_the_rate_is_the_decimal_number_that_was_written(rate, exact):
    assert Schedule(100, 10, rate).rate == Fraction(*exact)


@pytest.mark.parametrize(
    ("total", "warmup", "rate", "steps"), [(60, 51, 0.1, 1), (100, 90, 1, 64), (101, 100, 0.5, 1), (100, 97, 0.3, 2)]
)
def test_a_schedule_that_owes_no_update_is_refused(total, warmup, rate, steps):
    with pytest.raises(ConfigError, match=r"owes no update in the \d+ env steps between .*raise the total, or lower"):
        Schedule(total, warmup, rate).check_updates(steps)


@pytest.mark.parametrize(
    ("total", "warmup", "rate", "steps"), [(60, 50, 0.1, 1), (100, 50, 1, 50), (2, 1, 1, 1), (100, 96, 0.3, 2)]
)
def test_one_that_owes_a_single_update_is_taken(total, warmup, rate, steps):
    Schedule(total, warmup, rate).check_updates(steps)
