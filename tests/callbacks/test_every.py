import pytest

from qtrl.callbacks.every import Every


def test_due_where_a_multiple_is_reached_or_passed():
    every = Every(10)
    assert [step for step in range(1, 35) if every.due(step)] == [10, 20, 30]


@pytest.mark.parametrize(("steps", "expected"), [([8, 16, 24, 32], [16, 24, 32]), ([25, 26, 30, 30], [25, 30])])
def test_strides_pass_multiples_and_tell_each_time_once(steps, expected):
    every = Every(10)
    assert [step for step in steps if every.due(step)] == expected


def test_what_was_due_before_the_start_was_done():
    every = Every(10)
    every.start(25)
    assert [step for step in (25, 29, 30, 39, 41) if every.due(step)] == [30, 41]
