"""Suites of environments that are extras; `make test-slow` installs them beside the usual packages (`suites.txt`)."""

import importlib.util

import pytest

from qtrl.envs import env_spec, make_env, run_episodes, try_out

SMOKE = ("experiment=pendulum_zeros", "debug=smoke", "logger=csv", "actor.hidden=16", "critic.hidden=16")
SMOKE += ("callbacks.probe_every_env_steps=null", "callbacks.test_max_episode_steps=5")
GOALS = ("achieved_goal", "desired_goal", "observation")
SUITES = {
    "shimmy:dm_control/cartpole-balance-v0": ("dm_control", ("position", "velocity")),
    "shimmy:dm_control/humanoid-walk-v0": (
        "dm_control",
        ("com_velocity", "extremities", "head_height", "joint_angles", "torso_vertical", "velocity"),
    ),
    "gymnasium_robotics:FetchReach-v4": ("gymnasium_robotics", GOALS),
    "gymnasium_robotics:PointMaze_UMaze-v3": ("gymnasium_robotics", GOALS),
}

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(params=SUITES)
def env_id(request, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "disable")
    package, _ = SUITES[request.param]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed; make test-slow installs it")
    return request.param


def test_parts_keep_their_names_and_the_first_step_is_sound(env_id):
    assert tuple(name for name, _ in env_spec(env_id).observation_parts) == SUITES[env_id][1]
    try_out(env_id, num_envs=1, test_envs=2)


def test_episodes_end_by_themselves(env_id):
    action = make_env(env_id).action_space.shape
    episodes = run_episodes(env_id, lambda rows: rows.new_zeros(len(rows), *action), [0])
    assert episodes.cut == 0 and episodes.lengths[0] <= 1000


def test_a_smoke_run(env_id, train, tmp_path):
    assert train(*SMOKE, f"env.id={env_id}", f"run_dir={tmp_path / 'run'}") == 0
