import numpy as np
import pytest

from qtrl.envs import make_env
from qtrl.errors import EnvError, EnvFaultError, ShapeError


def _echo(name, action):
    env = make_env(f"toy_envs:Echo{name}-v0")
    env.reset(seed=0)
    return env.step(np.asarray(action, dtype=np.float32))[0]


@pytest.mark.parametrize(
    ("name", "action", "expected"),
    [
        ("Uneven", [1, 1, 1], [0.3, 10.0, 2.0]),
        ("Uneven", [-1, -1, -1], [-0.7, 0.0, 2.0]),
        ("Uneven", [0, 0, 0.3], [-0.2, 5.0, 2.0]),
        ("Uneven", [0.5, -0.5, 1], [0.05, 2.5, 2.0]),
        ("Double", [1, 1], [0.3, 0.2]),
        ("Double", [0, -0.5], [-0.2, 0.125]),
        ("Matrix", [1, 1, 1, 1, 1, 1], [1, 2, 3, 4, 5, 6]),
        ("Matrix", [-1, 0, 1, -1, 0, 1], [-2, 0, 3, -2, 1.5, 6]),
    ],
)
def test_action_is_rescaled_to_the_bounds(name, action, expected):
    np.testing.assert_allclose(_echo(name, action), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("name", "size"), [("Uneven", 3), ("Double", 2), ("Matrix", 6)])
def test_action_beyond_one_is_clamped(name, size):
    for sign in (1.0, -1.0):
        np.testing.assert_array_equal(_echo(name, [sign * 1e10] * size), _echo(name, [sign] * size))


@pytest.mark.parametrize(("name", "size"), [("Uneven", 3), ("Double", 2), ("Matrix", 6)])
def test_rescaled_action_never_leaves_the_space(name, size):
    env = make_env(f"toy_envs:Echo{name}-v0")
    env.reset(seed=0)
    for action in np.random.default_rng(0).uniform(-1.5, 1.5, (500, size)).astype(np.float32):
        env.step(action)  # the environment asserts it


def test_interface_is_flat_float32_in_plus_minus_one():
    env = make_env("toy_envs:EchoMatrix-v0")
    assert env.action_space.shape == (6,)
    assert env.action_space.dtype == np.float32
    assert (env.action_space.low == -1).all()
    assert (env.action_space.high == 1).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_action_is_refused_before_the_environment(bad):
    env = make_env("toy_envs:Counting-v0")
    env.reset(seed=0)
    with pytest.raises(EnvError, match=f"toy_envs:Counting-v0: the policy gave a non-finite action .{bad} at index 0"):
        env.step(np.array([bad], dtype=np.float32))
    assert env.unwrapped.count == 0


def test_action_of_another_shape_is_refused_rather_than_broadcast():
    env = make_env("toy_envs:EchoMatrix-v0")
    env.reset(seed=0)
    with pytest.raises(ShapeError, match=r"action has shape \(1,\), expected \(6,\)"):
        env.step(np.zeros(1))


@pytest.mark.parametrize(
    ("where", "complaint"),
    [
        ("observation", r"a non-finite observation \(nan at index 1 of 2\), expected finite numbers of float32"),
        ("reward", "the reward inf, expected a finite number of float32"),
        ("large_reward", r"the reward 1e\+39, expected a finite number of float32"),
    ],
)
def test_non_finite_numbers_of_the_environment_stop_it(where, complaint):
    env = make_env(f"toy_envs:Broken_{where}-v0")
    env.reset(seed=0)
    env.step(np.zeros(1))
    with pytest.raises(EnvFaultError, match=f"^toy_envs:Broken_{where}-v0: step gave {complaint}$"):
        env.step(np.zeros(1))


def test_non_finite_first_observation_stops_it():
    with pytest.raises(EnvFaultError, match="^toy_envs:Broken_reset-v0: reset gave a non-finite observation"):
        make_env("toy_envs:Broken_reset-v0").reset(seed=0)


@pytest.mark.parametrize("length", [1, 3])
def test_an_observation_whose_space_grows_with_a_reset_is_refused_rather_than_broadcast(length):
    env = make_env("toy_envs:Varying-v0", kwargs={"lengths": [2, length]})
    with pytest.raises(EnvFaultError, match=rf"^toy_envs:Varying-v0: reset gave {length} numbers, expected the 2 of"):
        env.reset(seed=0)
