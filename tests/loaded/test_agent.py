import os
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
import torch
from omegaconf import open_dict

import qtrl
from qtrl.config.instantiate import construct_task
from qtrl.config.saved import checked_text
from qtrl.errors import ConfigError, EnvError, QtrlError, ShapeError
from qtrl.files.checkpoint import write_checkpoint
from qtrl.quantum import make_engine
from qtrl.tasks import RunContext

SMALL = ("experiment=pendulum_pqc", "debug=smoke", "logger=csv", "actor.hidden=16", "critic.hidden=16")


@pytest.fixture(scope="module")
def make_run(compose, tmp_path_factory):
    """Write the folder of a run that was never trained, and return it with the run's task and module."""

    def make(*overrides):
        folder, cfg = tmp_path_factory.mktemp("runs"), compose(*SMALL, *overrides)
        with open_dict(cfg):
            cfg.experiment = "pendulum_pqc"
        (folder / "config.yaml").write_text(checked_text(cfg))
        task = construct_task(cfg)
        module = task.make_module(RunContext(folder, seed=0))
        checkpoint = {"state_dict": module.state_dict(), "env_steps": 100, "updates": 25}
        write_checkpoint(checkpoint, folder / "checkpoints" / "last.ckpt")
        return folder, task, module

    return make


@pytest.fixture(scope="module")
def made(make_run):
    return make_run()


@pytest.fixture(scope="module")
def run(made):
    return made[0]


OBSERVATION = np.array([0.3, -0.9, 1.7], np.float32)


def test_the_agent_acts_as_in_a_test_of_one_episode(made):
    folder, task, module = made
    agent, env, total = qtrl.load(folder, seed=5), gym.make("Pendulum-v1"), 0.0
    assert (agent.env_id, agent.env_steps) == ("Pendulum-v1", 100)
    observation, _ = env.reset(seed=5)
    over = False
    while not over:
        action = agent.act(observation)
        assert env.action_space.contains(action)
        observation, reward, terminated, truncated, _ = env.step(action)
        total, over = total + reward, terminated or truncated
    assert total == pytest.approx(task.play(module.actor, episodes=1, seed=5).returns[0], abs=1e-3)


def test_a_batch_gives_the_actions_of_its_rows(make_run):
    agent = qtrl.load(make_run("block.readout=expectation")[0])
    rows = np.random.default_rng(0).normal(size=(5, 3))
    actions = agent.act(rows)
    assert actions.shape == (5, 1) and actions.dtype == np.float32
    assert np.allclose(actions, [agent.act(row) for row in rows], atol=1e-6)
    assert np.ptp(actions) > 0


def test_seeds_repeat_draws_and_leave_the_global_stream_alone(run):
    before = torch.get_rng_state()
    one, other = qtrl.load(run, seed=1), qtrl.load(run, seed=2)
    first = [one.act(OBSERVATION).item() for _ in range(3)]
    one.seed(1)
    assert [one.act(OBSERVATION).item() for _ in range(3)] == first
    assert len({*first}) > 1 and [other.act(OBSERVATION).item() for _ in range(3)] != first
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "engine", ["reference", "statevector", make_engine("reference")], ids=["reference", "statevector", "an engine"]
)
def test_any_engine_and_any_shots(run, engine):
    agent = qtrl.load(run, engine=engine, shots=7, readout_error=0.5)
    block = agent.actor.layer.block
    assert (block.executable.engine, block.shots) == (engine if isinstance(engine, str) else "reference", 7)
    assert agent.act(OBSERVATION).shape == (1,)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"run": "/nowhere"}, "/nowhere is not a run folder"),
        ({"checkpoint": "worst"}, "worst.*last, best"),
        ({"checkpoint": "best"}, "no checkpoint at"),
        ({"shots": 0}, "shots=0.*at least 1"),
        ({"readout_error": 0.6}, "at most 0.5"),
        ({"engine": "qpu"}, "unknown engine 'qpu'"),
        ({"seed": -1}, "seed=-1"),
        ({"trust": "my.Block"}, "trust='my.Block'.*expected names"),
        ({"device": "abacus"}, "abacus"),
    ],
)
def test_mistakes_are_told_in_one_line(run, options, words):
    with pytest.raises(QtrlError, match=words) as told:
        qtrl.load(**{"run": run, **options})
    assert "\n" not in str(told.value)


def test_a_run_without_a_circuit_has_no_engine(make_run):
    folder = make_run("block=fc")[0]
    assert qtrl.load(folder).act(OBSERVATION).shape == (1,)
    with pytest.raises(ConfigError, match="engine: this run's block has no circuit"):
        qtrl.load(folder, engine="reference")


@pytest.mark.parametrize(
    "wrong", [[1.0, 2.0], np.zeros((2, 2, 3)), np.zeros((3, 1)), 0.5, "north", None, [[1.0], [2, 3]]]
)
def test_an_observation_of_another_shape_is_refused(run, wrong):
    with pytest.raises(ShapeError, match=r"observation (has shape .*, expected \(3,\)|is a)"):
        qtrl.load(run).act(wrong)


def test_an_observation_that_is_not_finite_is_refused(run):
    with pytest.raises(EnvError, match="Pendulum-v1: the observation has values that are not finite"):
        qtrl.load(run).act([0.0, np.nan, 1.0])


@pytest.mark.usefixtures("toy_envs")
def test_spaces_are_those_of_the_environment(make_run):
    env_id = "toy_envs:EchoMatrix-v0"
    folder = make_run(f"env.id={env_id}")[0]
    with pytest.raises(QtrlError, match="trust="):
        qtrl.load(folder)
    agent, env = qtrl.load(folder, trust=[env_id]), gym.make(env_id)
    observation, _ = env.reset(seed=0)
    action = agent.act(observation)
    assert action.shape == env.action_space.shape and env.action_space.contains(action)
    assert agent.act(np.stack([observation] * 3)).shape == (3, *env.action_space.shape)


@pytest.mark.usefixtures("toy_envs")
def test_observations_may_have_parts(make_run):
    env_id = "toy_envs:DictObservation-v0"
    agent = qtrl.load(make_run(f"env.id={env_id}", "block.readout=expectation")[0], trust=[env_id])
    one = {"place": np.full((2, 2), 0.5), "gear": 2}
    two = {"place": np.zeros((2, 2, 2)) + 0.5, "gear": np.array([2, 2])}
    assert agent.act(one).shape == agent.action_space.shape
    assert np.allclose(agent.act(two), agent.act(one), atol=1e-6)


CODE = """if True:
    import sys, qtrl
    agent = qtrl.load(sys.argv[1])
    print(agent.act([0.1, 0.2, 0.3]).shape, *{"hydra", "lightning", "wandb", "qiskit"} & sys.modules.keys())
"""


def test_neither_hydra_nor_lightning_is_imported(run):
    done = subprocess.run([sys.executable, "-c", CODE, os.fspath(run)], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "(1,)"


def test_tensors_and_empty_batches_are_observations_and_integers_of_numpy_are_seeds(run):
    agent = qtrl.load(run, seed=np.int64(3))
    same = qtrl.load(run, seed=3).act(OBSERVATION)
    assert np.array_equal(agent.act(torch.from_numpy(OBSERVATION).requires_grad_()), same)
    assert agent.act(np.zeros((0, 3), np.float32)).shape == (0, 1)


@pytest.mark.parametrize(
    ("option", "said"),
    [({"device": "gpu"}, "device='gpu' cannot be used here: give cpu"), ({"trust": None}, "trust=None is")],
)
def test_an_option_that_does_not_fit_is_not_blamed_on_the_folder(run, option, said):
    with pytest.raises(ConfigError, match=said):
        qtrl.load(run, **option)
