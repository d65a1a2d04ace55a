import copy

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qtrl.envs import make_vector_env
from qtrl.errors import CheckpointError

LONG = "toy_envs:CountingLong-v0"


@pytest.fixture(scope="module")
def state(request):
    import toy_envs  # noqa: F401

    envs = make_vector_env(LONG, 2, 0)
    envs.reset()
    for _ in range(3):
        envs.step(np.zeros((2, 1), np.float32))
    return envs.state_dict()


def load(state):
    return make_vector_env(LONG, 2, 1).load_state_dict(state)


def put(state, path, value):
    """A copy of the state with something else in one place."""
    changed = copy.deepcopy(state)
    *way, last = path
    inner = changed
    for key in way:
        inner = inner[key]
    if value is REMOVED:
        del inner[last]
    else:
        inner[last] = value
    return changed


REMOVED = object()
EPISODE = ("episodes", 0)
GENERATOR = (*EPISODE, "generator")
BAD = [
    (("episodes",), REMOVED, "envs is a dict, expected a dict of episodes, columns, step_given"),
    (("more",), 1, "envs is a dict"),
    (("step_given",), 1, "envs.step_given is 1, expected true or false"),
    (("episodes",), (), "envs.episodes is a tuple, expected a list"),
    (("episodes",), [None], "the checkpoint has 1 environments, this run num_envs=2"),
    (EPISODE, "x", r"envs.episodes\[0\] is a str, expected a dict of generator"),
    ((*EPISODE, "seed"), -1, r"episodes\[0\].seed is -1, expected an integer from 0"),
    ((*EPISODE, "seed"), True, "seed is True"),
    ((*EPISODE, "seed"), 2**64, "seed is"),
    ((*EPISODE, "seed"), 0.5, "seed is 0.5"),
    ((*EPISODE, "actions"), [[0.0]], "actions is a list"),
    ((*EPISODE, "actions"), torch.zeros(3), r"expected a finite tensor of torch.float32 with shape \(0, 1\)"),
    ((*EPISODE, "actions"), torch.zeros(3, 2), r"with shape \(3, 2\) on cpu, expected .* shape \(3, 1\)"),
    ((*EPISODE, "actions"), torch.zeros(3, 1, dtype=torch.float64), "a tensor of torch.float64"),
    ((*EPISODE, "actions"), torch.full((3, 1), torch.nan), "a finite tensor"),
    ((*EPISODE, "actions"), torch.zeros(3, 1).to_sparse(), "a finite tensor"),
    ((*EPISODE, "actions"), torch.zeros(3, 1, device="meta"), "on meta"),
    ((*EPISODE, "actions"), torch.zeros(1, 1).expand(100_001, 1), "actions is 100001, expected at most 100,000 rows"),
    ((*EPISODE, "generator_after"), None, "generator_after is None, expected a dict"),
    ((*GENERATOR, "bit_generator"), 3, "bit_generator is 3, expected a name"),
    ((*GENERATOR, "state"), {}, "generator.state is a dict, expected a dict of state, inc"),
    ((*GENERATOR, "state", "state"), 2**128, "expected an integer from 0 and below"),
    ((*GENERATOR, "state", "inc"), -1, "generator is -1"),
    ((*GENERATOR, "has_uint32"), 2, "generator is 2"),
    ((*GENERATOR, "uinteger"), 2**32, "generator is"),
    (("columns", "reward"), REMOVED, "envs.columns is a dict"),
    (("columns", "reward"), torch.zeros(2), "envs.columns.reward is a tensor of torch.float32"),
    (("columns", "reward"), torch.full((2,), torch.inf, dtype=torch.float64), "a finite tensor"),
    (("columns", "observation"), torch.zeros(2, 4), r"shape \(2, 4\) on cpu, expected .* \(2, 3\)"),
    (("columns", "terminated"), None, "envs.columns.terminated is None"),
    (("columns", "lost"), torch.zeros(2, dtype=torch.uint8), "torch.uint8"),
]


@pytest.mark.parametrize(("path", "value", "complaint"), BAD)
def test_a_malformed_state_is_refused_in_one_line(state, path, value, complaint):
    with pytest.raises(CheckpointError, match=complaint) as error:
        load(put(state, path, value))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("state", [None, 3, [], {}, "state"])
def test_what_is_no_state_is_refused(state):
    with pytest.raises(CheckpointError, match="the checkpoint's envs is"):
        load(state)


def test_a_generator_of_another_kind_begins_a_new_episode(state):
    assert load(put(state, (*GENERATOR, "bit_generator"), "MT19937")).tolist() == [True, False]
    assert load(put(state, (*EPISODE, "generator_after", "bit_generator"), "Nonsense")).tolist() == [True, False]


def test_a_refused_state_changes_nothing(state):
    envs = make_vector_env(LONG, 2, 1)
    before = envs.reset()[0]
    with pytest.raises(CheckpointError):
        envs.load_state_dict(put(state, ("columns", "lost"), None))
    after = envs.step(np.zeros((2, 1), np.float32))[0]
    assert np.array_equal(after[:, :2], before[:, :2])


def paths(value, way=()):
    yield way
    if isinstance(value, dict):
        for key in value:
            yield from paths(value[key], (*way, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(item, (*way, index))


TENSORS = st.sampled_from(
    [torch.zeros(0), torch.zeros(()), torch.ones(3, 1), torch.tensor([-1]), torch.zeros(1, 1).bfloat16()]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | TENSORS | st.just(REMOVED),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_anywhere_is_taken_or_refused(state, data):
    path = data.draw(st.sampled_from([path for path in paths(state) if path]))
    try:
        mask = load(put(state, path, data.draw(ANYTHING)))
    except CheckpointError as error:
        assert "\n" not in str(error)
    else:
        assert mask.shape == (2,)
