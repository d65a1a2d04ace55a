import numpy as np
import pytest

from qtrl.envs.info_means import InfoMeans, info_values


def test_numbers_and_truth_values_are_taken_and_all_else_is_absent():
    info = {"a": 2, "b": True, "c": np.float32(0.5), "d": np.array([3.0]), "e": "north", "f": np.zeros(2), "g": None}
    taken = info_values(info, [*"abcd"])
    assert taken == [2.0, 1.0, 0.5, 3.0]
    assert np.isnan(info_values(info, [*"efgh"])).all()


def filled():
    """Speeds 1, 2, 3, 6 in two environments, whose second ends with success; `rare` once."""
    means = InfoMeans(["speed", "is_success", "rare", "never"])
    none = np.nan
    means.add(np.array([[1.0, 0.0, none, none], [2.0, 0.0, none, none]]), np.array([False, False]))
    means.add(np.array([[3.0, 0.0, 7.0, none], [6.0, 1.0, none, none]]), np.array([False, True]))
    return means


def test_numbers_are_averaged_over_env_steps_and_flags_over_ends_of_episodes():
    means = filled()
    assert means.pop() == {"speed": 3.0, "is_success": 1.0, "rare": 7.0}
    assert means.pop() == {}


def test_a_flag_has_no_value_before_an_episode_ended():
    means = InfoMeans(["is_success"])
    means.add(np.array([[0.0], [1.0]]), np.array([False, False]))
    assert means.pop() == {}


def test_the_state_goes_on_and_that_of_other_names_does_not():
    state = filled().state_dict()
    again = InfoMeans(["speed", "is_success", "rare", "never"])
    again.load_state_dict(state)
    assert again.pop() == filled().pop()
    other = InfoMeans(["speed"])
    for foreign in (state, None):
        other.load_state_dict(foreign)
        assert other.pop() == {}


def test_a_number_that_is_not_finite_is_left_out():
    means = InfoMeans(["speed"])
    means.add(np.array([[np.inf], [2.0]]), np.array([True, True]))
    assert means.pop() == {"speed": pytest.approx(2.0)}
