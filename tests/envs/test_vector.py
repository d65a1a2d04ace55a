import pytest
import torch
from tensordict.nn import TensorDictModule
from torchrl.collectors import Collector

from qtrl.envs import make_vector_env
from qtrl.envs.vector import start_seeds
from qtrl.errors import ConfigError, EnvError
from qtrl.keys import ACTION, DONE, NEXT_OBSERVATION, OBSERVATION, REWARD, TERMINATED, TRUNCATED


class Wiggle(torch.nn.Module):
    """An action from the observation alone, so that equal starts give equal runs."""

    def __init__(self, action_size):
        super().__init__()
        self.action_size = action_size

    def forward(self, observation):
        return torch.sin(observation.sum(-1, keepdim=True)).expand(*observation.shape[:-1], self.action_size)


def _collect(env_id, num_envs, steps, seed=0, action_size=1):
    env = make_vector_env(env_id, num_envs, seed)
    policy = TensorDictModule(Wiggle(action_size), in_keys=[OBSERVATION], out_keys=[ACTION])
    collector = Collector(
        env, policy, frames_per_batch=num_envs, total_frames=-1, auto_register_policy_transforms=False
    )
    try:
        rows = [batch.clone() for batch, _ in zip(collector, range(steps), strict=False)]
    finally:
        collector.shutdown()
    return torch.cat(rows, dim=-1)  # (N, T)


@pytest.mark.parametrize("num_envs", [1, 3])
def test_collected_rows_have_the_promised_shapes_and_types(num_envs):
    rows = _collect("toy_envs:Counting-v0", num_envs, 2)
    for key, size in ((OBSERVATION, 3), (NEXT_OBSERVATION, 3), (ACTION, 1), (REWARD, 1)):
        assert rows[key].shape == (num_envs, 2, size)
        assert rows[key].dtype == torch.float32
    for key in (TERMINATED, TRUNCATED, DONE):
        assert rows[key].shape == (num_envs, 2, 1)
        assert rows[key].dtype == torch.bool


@pytest.mark.parametrize("num_envs", [1, 3])
def test_every_row_is_a_real_transition_also_where_episodes_end(num_envs):
    rows = _collect("toy_envs:Counting-v0", num_envs, 40)  # episodes of 2 to 6 steps under a limit of 4
    seen = {"terminated": 0, "truncated": 0}
    for env in range(num_envs):
        expected_count = 0
        for row in rows[env]:
            start, length, count = row[OBSERVATION].tolist()
            assert count == expected_count
            assert row[NEXT_OBSERVATION].tolist() == [start, length, count + 1]
            assert row[REWARD].item() == count + 1
            terminated, truncated = row[TERMINATED].item(), row[TRUNCATED].item()
            assert terminated == (count + 1 == length)
            assert truncated == (count + 1 == 4)
            assert row[DONE].item() == (terminated or truncated)
            seen["terminated"] += terminated
            seen["truncated"] += truncated and not terminated
            expected_count = 0 if terminated or truncated else count + 1
        starts = [row[OBSERVATION][0].item() for row in rows[env] if row[OBSERVATION][2] == 0]
        assert len(set(starts)) == len(starts) > 5
    assert min(seen.values()) > 0


@pytest.mark.parametrize("num_envs", [1, 3])
def test_environments_end_their_episodes_at_different_times(num_envs):
    done = _collect("toy_envs:Counting-v0", num_envs, 40)[DONE][..., 0]
    assert done.any()
    assert num_envs == 1 or not (done[0] == done[1]).all()


def test_without_a_time_limit_nothing_is_truncated():
    rows = _collect("toy_envs:CountingFree-v0", 2, 30)
    assert rows[TERMINATED].any()
    assert not rows[TRUNCATED].any()


def test_time_limit_can_be_given():
    env = make_vector_env("toy_envs:CountingLong-v0", 2, 0, max_episode_steps=3)
    rows = env.rollout(3, break_when_any_done=False)
    assert rows[TRUNCATED][..., 0].tolist() == [[False, False, True]] * 2


@pytest.mark.parametrize(("env_id", "action_size"), [("toy_envs:Counting-v0", 1), ("Humanoid-v4", 17)])
def test_a_seed_fixes_the_first_fifty_transitions(env_id, action_size):
    first, again, other = (_collect(env_id, 2, 50, seed, action_size) for seed in (7, 7, 8))
    for key in (OBSERVATION, NEXT_OBSERVATION, ACTION, REWARD, TERMINATED, TRUNCATED):
        assert torch.equal(first[key], again[key])
    assert not torch.equal(first[OBSERVATION][:, 0], other[OBSERVATION][:, 0])
    assert not torch.equal(first[OBSERVATION][0, 0], first[OBSERVATION][1, 0])


def test_start_seeds_differ_and_do_not_depend_on_how_many_there_are():
    seeds = start_seeds(3, 200)
    assert len(set(seeds)) == 200
    assert seeds[:5] == start_seeds(3, 5)
    assert not set(seeds) & set(start_seeds(4, 200))


@pytest.mark.parametrize(("num_envs", "seed", "complaint"), [(0, 0, "num_envs is 0"), (1, -1, "seed is -1")])
def test_bad_numbers_are_refused(num_envs, seed, complaint):
    with pytest.raises(ConfigError, match=complaint):
        make_vector_env("Pendulum-v1", num_envs, seed)


def test_unknown_id_is_refused():
    with pytest.raises(EnvError, match="did you mean Pendulum-v1"):
        make_vector_env("Pendulam-v1", 2, 0)


def test_error_of_an_environment_comes_through_the_collector():
    with pytest.raises(EnvError, match="toy_envs:Broken_reward-v0: the environment gave the reward inf"):
        _collect("toy_envs:Broken_reward-v0", 2, 3)
