import gymnasium as gym
import numpy as np
import pytest
import torch

from qtrl.envs import episodes as episodes_module
from qtrl.envs import make_env, run_episodes
from qtrl.errors import ConfigError, EnvError, ShapeError

SEEDS = [0, 1, 2, 3, 4, 5]


class Still:
    """Always action 0; remembers what it was shown."""

    def __init__(self, action_size=1):
        self.action_size = action_size
        self.seen = []

    def __call__(self, observation):
        self.seen.append(observation)
        return observation.new_zeros(len(observation), self.action_size)


def _start_and_length(seed):
    generator, _ = gym.utils.seeding.np_random(seed)
    return np.float32(generator.uniform()), int(generator.integers(2, 7))


def test_returns_and_lengths_of_the_counting_environment_by_hand():
    episodes = run_episodes("toy_envs:CountingFree-v0", Still(), SEEDS)
    lengths = [_start_and_length(seed)[1] for seed in SEEDS]
    assert len(set(lengths)) > 2
    assert episodes.lengths == tuple(lengths)
    assert episodes.returns == tuple(length * (length + 1) / 2 for length in lengths)
    assert episodes.env_steps == sum(lengths)
    assert episodes.frames == []


def test_infos_are_summed_up_over_the_episodes():
    played = run_episodes("toy_envs:CountingFree-v0", Still(), SEEDS, log_info=("count", "is_success", "absent"))
    assert played.info == {"count": pytest.approx(sum(played.returns) / played.env_steps), "is_success": 1.0}
    assert run_episodes("toy_envs:CountingFree-v0", Still(), SEEDS).info == {}


def test_policy_sees_one_shrinking_batch_that_begins_with_the_starts_of_the_seeds():
    policy = Still()
    run_episodes("toy_envs:CountingFree-v0", policy, SEEDS)
    starts, lengths = zip(*[_start_and_length(seed) for seed in SEEDS], strict=True)
    assert policy.seen[0].dtype == torch.float32
    assert policy.seen[0].tolist() == [[s, n, 0.0] for s, n in zip(starts, lengths, strict=True)]
    assert [len(batch) for batch in policy.seen] == [sum(n > t for n in lengths) for t in range(max(lengths))]


def test_batch_of_episodes_equals_one_by_one():
    weights = torch.randn(3, 1, generator=torch.Generator().manual_seed(0))

    def policy(observation):
        return torch.tanh((observation[..., None] * weights).sum(1))  # elementwise, so that batching rounds alike

    together = run_episodes("Pendulum-v1", policy, [4, 5, 6], max_episode_steps=30)
    alone = [run_episodes("Pendulum-v1", policy, [seed], max_episode_steps=30) for seed in (4, 5, 6)]
    assert together.returns == tuple(one.returns[0] for one in alone)
    assert len(set(together.returns)) == 3
    assert together.lengths == (30, 30, 30)


def test_return_equals_that_of_a_plain_gymnasium_loop():
    env = gym.make("Pendulum-v1")
    env.reset(seed=11)
    expected = sum(env.step(np.array([1.0], dtype=np.float32))[1] for _ in range(200))
    episodes = run_episodes("Pendulum-v1", lambda observation: torch.full((len(observation), 1), 0.5), [11])
    assert episodes.lengths == (200,)
    assert episodes.returns[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("env_id", "limits", "length", "cut"),
    [
        ("CountingLong", {}, 50, 1),
        ("CountingLong", {"max_episode_steps": 70}, 70, 0),
        ("CountingLong", {"cut_after": 7}, 7, 1),
        ("CountingLong", {"cut_after": 70}, 70, 1),
        ("CountingLong", {"cut_after": 7, "max_episode_steps": 5}, 5, 0),
        ("Counting", {"cut_after": 7}, 4, 0),  # never longer than those of training
        ("Ending", {"cut_after": 70}, 60, 0),
    ],
)
def test_an_episode_ends_where_those_of_training_do_or_is_said_to_be_cut(monkeypatch, env_id, limits, length, cut):
    monkeypatch.setattr(episodes_module, "ENDLESS", 50)
    episodes = run_episodes(f"toy_envs:{env_id}-v0", Still(), [1], **limits)
    assert (episodes.lengths, episodes.cut) == ((length,), cut)


@pytest.mark.parametrize("at_once", [1, 2, 4, 6, 9])
def test_so_many_environments_exist_at_once_and_give_the_same_results(monkeypatch, at_once):
    made = []
    monkeypatch.setattr("toy_envs.Counting.__init__", lambda self: made.append(self) or setattr(self, "longest", 6))
    episodes = run_episodes("toy_envs:CountingFree-v0", Still(), SEEDS, envs_at_once=at_once)
    assert len(made) == min(at_once, len(SEEDS))
    assert episodes.lengths == tuple(_start_and_length(seed)[1] for seed in SEEDS)
    assert episodes.returns == tuple(length * (length + 1) / 2 for length in episodes.lengths)


def test_frames_of_many_episodes_are_those_of_the_first(no_screen):
    episodes = run_episodes("Pendulum-v1", Still(), [0, 1, 2], max_episode_steps=6, render_first=True, envs_at_once=1)
    assert len(episodes.frames) == 1 + 3


def test_policy_is_called_without_gradients():
    layer = torch.nn.Linear(3, 1)
    flags = []

    def policy(observation):
        flags.append(torch.is_grad_enabled())
        return layer(observation)

    run_episodes("toy_envs:CountingFree-v0", policy, [0])
    assert not any(flags)


@pytest.mark.parametrize("frame_every", [1, 2, 3])
def test_frames_are_those_of_the_first_episode(frame_every, no_screen):
    episodes = run_episodes(
        "Pendulum-v1", Still(), [0, 1], max_episode_steps=7, render_first=True, frame_every=frame_every
    )
    assert len(episodes.frames) == 1 + 7 // frame_every
    assert episodes.frames[0].shape == (500, 500, 3)
    assert episodes.frames[0].dtype == np.uint8
    assert (episodes.frames[0] != episodes.frames[-1]).any()
    assert episodes.fps == pytest.approx(30 / frame_every)


def test_rendering_does_not_change_the_episode(no_screen):
    plain = run_episodes("Pendulum-v1", Still(), [0], max_episode_steps=5)
    filmed = run_episodes("Pendulum-v1", Still(), [0], max_episode_steps=5, render_first=True)
    assert filmed.returns == plain.returns


def test_environments_are_closed_also_after_an_error(monkeypatch):
    closed = []
    monkeypatch.setattr("toy_envs.Broken.close", lambda self: closed.append(self), raising=False)
    with pytest.raises(EnvError, match="the reward inf"):
        run_episodes("toy_envs:Broken_reward-v0", Still(), [0, 1, 2])
    assert len(closed) == 3


def test_environments_of_unlike_spaces_are_refused():
    with pytest.raises(EnvError, match="^toy_envs:Varying-v0: environments differ"):
        run_episodes("toy_envs:Varying-v0", Still(), [0, 1], kwargs={"lengths": [2, 3], "by_reset": False})


@pytest.mark.parametrize("shape", [(2,), (2, 2), (1, 1)])
def test_actions_of_another_shape_are_refused(shape):
    with pytest.raises(ShapeError, match=r"expected \(2, 1\)"):
        run_episodes("toy_envs:Counting-v0", lambda observation: torch.zeros(shape), [0, 1])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"seeds": []}, "no seeds"),
        ({"frame_every": 0}, "frame_every is 0"),
        ({"max_episode_steps": 0}, "steps is 0"),
        ({"envs_at_once": 0}, "envs_at_once is 0"),
        ({"cut_after": -1}, "cut_after is -1"),
    ],
)
def test_bad_numbers_are_refused(arguments, complaint):
    with pytest.raises(ConfigError, match=complaint):
        run_episodes("toy_envs:Counting-v0", Still(), **{"seeds": [0], **arguments})


def test_make_env_and_run_episodes_start_alike():
    policy = Still(17)
    run_episodes("Humanoid-v4", policy, [9], max_episode_steps=1)
    assert policy.seen[0][0].tolist() == make_env("Humanoid-v4").reset(seed=9)[0].tolist()
