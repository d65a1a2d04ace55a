import pytest

from qtrl.callbacks.periodic import Interval


def test_due_where_a_multiple_is_reached_or_passed():
    interval = Interval(10)
    assert [step for step in range(1, 35) if interval.due(step)] == [10, 20, 30]


@pytest.mark.parametrize(("steps", "expected"), [([8, 16, 24, 32], [16, 24, 32]), ([25, 26, 30, 30], [25, 30])])
def test_strides_pass_multiples_and_tell_each_time_once(steps, expected):
    interval = Interval(10)
    assert [step for step in steps if interval.due(step)] == expected


def test_what_was_due_before_the_start_was_done():
    interval = Interval(10)
    interval.start(25)
    assert [step for step in (25, 29, 30, 39, 41) if interval.due(step)] == [30, 41]
