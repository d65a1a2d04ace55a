import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
from gymnasium.vector.utils import batch_space

from qtrl.envs.observations import flattened
from qtrl.errors import ShapeError

SPACES = {
    "vector": Box(-1.0, 1.0, (3,)),
    "matrix": Box(-1.0, 1.0, (2, 3), np.float64),
    "scalar": Box(-1.0, 1.0, ()),
    "discrete": Discrete(4, start=1),
    "multi": MultiDiscrete([2, 3]),
    "binary": MultiBinary(3),
    "dict": Dict(b=Box(-1.0, 1.0, (2, 2)), a=Discrete(3), c=Dict(d=Box(0.0, 1.0, (1,)))),
    "tuple": Tuple([Box(-1.0, 1.0, (2,)), Discrete(2)]),
}


@pytest.mark.parametrize("name", SPACES)
def test_one_observation_and_a_batch_become_what_gymnasium_makes_of_each(name):
    space, batched = SPACES[name], batch_space(SPACES[name], 3)
    space.seed(0), batched.seed(0)
    one, batch = space.sample(), batched.sample()
    assert np.array_equal(flattened(space, one), gym.spaces.flatten(space, one).astype(np.float32))
    rows = [gym.spaces.flatten(space, row) for row in gym.vector.utils.iterate(batched, batch)]
    assert np.array_equal(flattened(space, batch), np.stack(rows).astype(np.float32))


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        ("vector", np.zeros(1), r"has shape \(1,\), expected \(3,\)"),
        ("matrix", np.zeros((3, 2)), r"has shape \(3, 2\), expected \(2, 3\)"),
        ("matrix", np.zeros((1, 4, 2, 3)), r"\(1, 4, 2, 3\)"),
        ("dict", {"a": 1}, r"has the parts \['a'\], expected \['b', 'a', 'c'\]"),
        ("dict", {"a": 1, "b": np.zeros((2, 2)), "c": {"d": [[1.0, 2.0]]}}, r"observation\['c'\]\['d'\] has shape"),
        ("dict", {"a": [1, 2], "b": np.zeros((2, 2)), "c": {"d": [1.0]}}, "unlike numbers of rows"),
        ("dict", 5, "is a int"),
        ("tuple", [np.zeros(2)], "has the parts"),
    ],
)
def test_another_shape_is_refused(name, wrong, words):
    with pytest.raises(ShapeError, match=words):
        flattened(SPACES[name], wrong)
