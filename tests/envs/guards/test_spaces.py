import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Graph, MultiBinary, MultiDiscrete, Tuple

from qtrl.envs.guards.spaces import (
    MisfitError,
    check_action_space,
    check_observation_space,
    conform,
    observation_parts,
)
from qtrl.errors import EnvError

LARGEST = float(np.finfo(np.float32).max)
LINE, SCALAR, BYTES = Box(-1.0, 1.0, (3,)), Box(-1.0, 1.0, ()), Box(0, 9, (2,), np.int64)
NESTED = Dict(eyes=Dict(left=Box(-1.0, 1.0, (2, 2)), right=SCALAR), gear=Discrete(3), pair=Tuple([Discrete(2), LINE]))


@pytest.mark.parametrize(
    ("space", "value", "expected"),
    [
        (LINE, np.array([0.5, 1, 2], np.float64), [0.5, 1, 2]),
        (LINE, [0.5, 1, 2], [0.5, 1, 2]),
        (LINE, (True, False, True), [1, 0, 1]),
        (LINE, np.array([5, 6, 7]), [5, 6, 7]),  # beyond the bounds, as of many environments
        (SCALAR, 0.5, 0.5),
        (SCALAR, np.array([0.5]), 0.5),
        (Box(-1.0, 1.0, (1,)), 0.5, [0.5]),
        (Box(-1.0, 1.0, (1, 1)), np.float32(0.5), [[0.5]]),
        (BYTES, np.array([1.0, 2.0]), [1, 2]),
        (Discrete(3), 2, 2),
        (Discrete(3), np.array([2.0]), 2),
        (Discrete(3, start=-1), np.int32(-1), -1),
        (MultiDiscrete([2, 3]), [1, 2], [1, 2]),
        (MultiBinary(2), [True, False], [1, 0]),
    ],
)
def test_what_means_the_same_is_accepted(space, value, expected):
    found = conform(space, value)
    assert np.shape(found) == space.shape and np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("space", "value", "complaint"),
    [
        (LINE, np.zeros(1), r"an array of shape \(1,\) and float64, expected an array of numbers of shape \(3,\)"),
        (LINE, 0.0, r"0\.0, expected .*shape \(3,\)"),
        (LINE, np.zeros((1, 3)), r"of shape \(1, 3\)"),
        (LINE, np.zeros((3, 1)), r"of shape \(3, 1\)"),
        (LINE, np.zeros(4), r"of shape \(4,\)"),
        (LINE, None, "None, expected"),
        (LINE, "abc", "'abc', expected"),
        (LINE, [[0.0], [0.0, 1.0]], "a list of 2 values, expected"),
        (LINE, np.array([None, 1.0, 2.0]), "and object, expected an array of numbers"),
        (LINE, np.zeros(3, complex), "and complex128, expected"),
        (LINE, {"a": 1}, "a dict, expected"),
        (BYTES, [0.5, 1.0], "with fractions, expected whole numbers"),
        (BYTES, [np.nan, 1.0], "with fractions"),
        (Discrete(3), -1, r"-1, expected one of Discrete\(3\)"),
        (Discrete(3), 3, "3, expected one of"),
        (Discrete(3), 0.5, "0.5 with fractions"),
        (MultiDiscrete([2, 3]), [1, 3], "expected one of MultiDiscrete"),
        (MultiBinary(2), [2, 0], "expected one of MultiBinary"),
        (Tuple([LINE]), [np.zeros(3)] * 2, "a list of 2 values, expected 1 parts"),
        (NESTED, np.zeros(3), r"an array of shape \(3,\) and float64, expected a dict of eyes, gear, pair"),
        (NESTED, {"gear": 1}, "a dict of gear, expected one of eyes, gear, pair"),
    ],
)
def test_the_rest_is_refused(space, value, complaint):
    with pytest.raises(MisfitError, match=complaint) as error:
        conform(space, value)
    assert "\n" not in str(error.value)


def test_parts_are_looked_at_one_by_one_and_named():
    value = {"eyes": {"left": np.zeros((2, 2)), "right": 1}, "gear": 2, "pair": (1, [0, 0, 0])}
    assert conform(NESTED, value)["eyes"]["right"] == 1.0
    assert conform(NESTED, value)["pair"][1].tolist() == [0, 0, 0]
    value["eyes"]["left"] = np.zeros(2)
    with pytest.raises(MisfitError, match=r"^in 'eyes' in 'left' an array of shape \(2,\)"):
        conform(NESTED, value)
    with pytest.raises(MisfitError, match="^a dict of .*wheel, expected one of eyes, gear, pair$"):
        conform(NESTED, {**value, "wheel": 0})


def test_parts_have_the_names_and_lengths_of_the_flat_observation():
    lengths = {"eyes.left": 4, "eyes.right": 1, "gear": 3, "pair.0": 2, "pair.1": 3}
    assert dict(observation_parts(NESTED)) == lengths
    assert not list(observation_parts(LINE))


@pytest.mark.parametrize("bound", [np.inf, LARGEST, 1e10, 1e30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bounds_that_are_none_are_refused(bound, dtype):
    for low, high in ((-bound, bound), (-1.0, bound), (-bound, 1.0)):
        with pytest.raises(EnvError, match=r"^X-v0: .*bounds"):
            check_action_space(Box(np.array([low, -1], dtype), np.array([high, 1], dtype), dtype=dtype), "X-v0")


@pytest.mark.parametrize(
    "space",
    [
        Box(-1000.0, 5000.0, (2,)),
        Box(-1.0, 1.0, ()),
        Box(np.array([0.0, 1.0]), np.array([0.0, 2.0]), dtype=np.float64),
        Box(-1.0, 1.0, (2,), np.float16),
    ],
)
def test_bounds_that_can_be_reached_are_accepted(space):
    check_action_space(space, "X-v0")


def test_actions_without_a_choice_are_refused():
    with pytest.raises(EnvError, match="leave no choice"):
        check_action_space(Box(0.0, 0.0, (2,)), "X-v0")
    half = float(np.finfo(np.float16).max)
    with pytest.raises(EnvError, match="are none"):
        check_action_space(Box(-half, half, (2,), np.float16), "X-v0")


@pytest.mark.parametrize(
    "space",
    [
        Box(0, 255, (64, 64, 3), np.uint8),
        Box(0, 255, (3, 64, 64), np.uint8),
        Box(0, 255, (84, 84), np.uint8),
        Box(0, 255, (4, 84, 84), np.uint8),
        Box(0.0, 1.0, (64, 48, 3)),
        Box(0.0, 1.0, (1, 64, 48)),
        Dict(state=LINE, pixels=Box(0, 255, (8, 8, 3), np.uint8)),
    ],
)
def test_images_are_refused_with_the_reason(space):
    with pytest.raises(EnvError, match=r"^X-v0: .* is an image, .*learn from vectors, not from pixels") as error:
        check_observation_space(space, "X-v0")
    assert ("the observation 'pixels'" in str(error.value)) is isinstance(space, Dict)


@pytest.mark.parametrize("space", [LINE, SCALAR, NESTED, Box(0, 255, (128,), np.uint8), Box(0.0, 1.0, (3, 3, 3))])
def test_vectors_and_small_tables_are_no_images(space):
    check_observation_space(space, "X-v0")


def test_a_part_without_a_fixed_length_is_refused():
    with pytest.raises(EnvError, match="X-v0: the observation space is Dict, qtrl needs one of fixed length"):
        check_observation_space(Dict(graph=Graph(LINE, None), state=LINE), "X-v0")
