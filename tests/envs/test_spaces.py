import json

import numpy as np
import pytest
from gymnasium import make
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from qtrl.envs import make_env
from qtrl.envs.spaces import describe_space, own_spaces

BOX = {"type": "Box", "dtype": "float32"}
SPACES = {
    "one bound": (Box(-2, 3, (2, 1), np.float32), BOX | {"shape": [2, 1], "low": -2.0, "high": 3.0}),
    "half open": (
        Box(np.array([0.0, -np.inf], np.float32), np.inf, (2,), np.float32),
        BOX | {"shape": [2], "low": [0.0, None], "high": None},
    ),
    "discrete": (Discrete(3, start=1), {"type": "Discrete", "shape": [], "dtype": "int64", "n": 3, "start": 1}),
    "bits": (MultiBinary(2), {"type": "MultiBinary", "shape": [2], "dtype": "int8", "n": 2}),
    "several": (
        MultiDiscrete([2, 3]),
        {"type": "MultiDiscrete", "shape": [2], "dtype": "int64", "start": [0, 0], "nvec": [2, 3]},
    ),
    "parts": (
        Dict(a=Box(0, 1, (1,), np.float32)),
        {"type": "Dict", "spaces": {"a": BOX | {"shape": [1], "low": 0.0, "high": 1.0}}},
    ),
}


@pytest.mark.parametrize(("space", "described"), SPACES.values(), ids=SPACES)
def test_a_space_as_plain_data(space, described):
    assert json.loads(json.dumps(describe_space(space), allow_nan=False)) == described


def test_parts_of_a_tuple_are_counted():
    assert set(describe_space(Tuple([Discrete(2), Discrete(3)]))["spaces"]) == {"0", "1"}


def test_own_spaces_are_those_of_the_environment():
    with make("Pendulum-v1") as env, make_env("Pendulum-v1") as wrapped:
        assert own_spaces(wrapped) == (env.observation_space, env.action_space)
