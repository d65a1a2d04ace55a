import csv
import json
from pathlib import Path

import pytest
import torch
from tensordict import TensorDict

from qtrl.config.location import config_dir
from qtrl.keys import ACTION, NEXT_OBSERVATION, OBSERVATION, Q_IN, Q_OUT, REWARD, TERMINATED
from qtrl.specs import Batch

EXPERIMENTS, GRADIENTS, CONTROLS = (
    sorted(path.stem for path in Path(config_dir(), group).glob("*.yaml"))
    for group in ("experiment", "gradient", "control")
)
EXPERIMENTS = [name for name in EXPERIMENTS if not name.startswith("hdqnn_")]  # of another task: tests/tasks
EXPERIMENTS += ["paper/pendulum_pqc"]
"""The others of `paper` differ from it as those do that the list has."""
SLOW = ("humanoid_fc", "humanoid_rbg", "humanoid_zeros")
"""Their blocks run on Pendulum, their environment with the circuit."""
HUMANOID = ("humanoid_pqc", *SLOW)
PROMISED = {"config.yaml", "metrics.csv", "summary.json", "checkpoints", "learning_curve.png"}


@pytest.fixture
def smoke(train, tmp_path):
    def run(name, *overrides):
        folder = tmp_path / name
        assert train("debug=smoke", "logger=csv", f"run_dir={folder}", *overrides) == 0
        return folder

    return run


def checkpoint_of(folder):
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


def metrics_of(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        timeless = ("time/", "quantum/seconds")
        return [{k: v for k, v in row.items() if not k.startswith(timeless)} for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    "experiment",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in EXPERIMENTS],
)
def test_every_experiment_is_a_small_whole_run(smoke, experiment):
    folder = smoke("run", f"experiment={experiment}", "callbacks.test_max_episode_steps=10")
    assert {path.name for path in folder.iterdir()} == PROMISED
    checkpoint = checkpoint_of(folder)
    updates = 24 if experiment in HUMANOID else 50  # four environments, and one for every two env steps after 52
    assert (checkpoint["env_steps"], checkpoint["updates"]) == (100, updates)
    rows = metrics_of(folder)
    assert all(row["loss/actor"] for row in rows[1:-1] if not row["probe/expectation_mean"])
    assert rows[-1]["test/return_mean"]
    assert all(value.isfinite().all() for value in checkpoint["state_dict"].values())


@pytest.mark.parametrize("control", CONTROLS)
def test_every_control_is_a_small_whole_run(smoke, control):
    folder = smoke("run", "experiment=study/pendulum", f"control={control}", "callbacks.test_max_episode_steps=10")
    assert {path.name for path in folder.iterdir()} == PROMISED
    assert checkpoint_of(folder)["updates"] == 50
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["label"], summary["status"]) == (control, "complete")
    rows = metrics_of(folder)
    entropies = [row["train/q_out_entropy"] for row in rows if row["loss/critic"]]
    if control == "td3":  # an actor without a quantum layer
        assert not any(entropies)
    else:
        assert all(0 <= float(entropy) <= 5 for entropy in entropies)
    assert rows[-1]["test/last_ten_return"] == rows[-1]["test/return_mean"]


def test_torchquantum_trains(smoke):
    folder = smoke("run", "experiment=pendulum_pqc", "engine=torchquantum", "callbacks.test_max_episode_steps=10")
    assert checkpoint_of(folder)["updates"] == 50


@pytest.mark.parametrize("gradient", [name for name in GRADIENTS if name != "qtdnn"])
def test_every_other_estimator_trains(smoke, gradient):
    short = ("total_env_steps=60", "callbacks.test_max_episode_steps=10", "data.batch_size=4")
    folder = smoke("run", "experiment=pendulum_pqc", f"gradient={gradient}", *short)
    assert checkpoint_of(folder)["updates"] == 10
    circuits = json.loads((folder / "summary.json").read_text())["circuits_by_purpose"]
    forward, backward = {  # circuits of one row, in target and actor; 40 angles
        "exact": (1, 0),
        "parameter_shift": (1, 80),
        "spsa": (1, 2),
        "straight_through": (1, 1),
        "zero": (1, 0),
        "qtdnn_local": (0, 0),
        "qtdnn_fresh": (0, 0),
        "qtdnn_minibatch": (0, 0),
    }[gradient]
    assert (circuits["target"], circuits["actor"]) == (10 * 4 * forward, 5 * 4 * (forward + backward))


@pytest.mark.parametrize("experiment", ["humanoid_pqc", pytest.param("pendulum_rbg", marks=pytest.mark.slow)])
def test_a_seed_fixes_every_number(smoke, experiment):
    short = (f"experiment={experiment}", "total_env_steps=70", "callbacks.test_max_episode_steps=20")
    first, again, other = smoke("a", *short), smoke("b", *short), smoke("c", *short, "seed=1")
    assert metrics_of(first) == metrics_of(again)
    assert metrics_of(first)[0] != metrics_of(other)[0]
    weights, weights_again, weights_other = (checkpoint_of(folder)["state_dict"] for folder in (first, again, other))
    assert all(torch.equal(value, weights_again[name]) for name, value in weights.items())
    counts = {name for name in weights if name.endswith((".norm.count", "reward_scale.count"))}
    assert not any(torch.equal(weights[name], weights_other[name]) for name in weights.keys() - counts)


def make_batch(spec, block, rows=8):
    generator = torch.Generator().manual_seed(0)
    batch = TensorDict(batch_size=[rows])
    sizes = {OBSERVATION: spec.observation_size, NEXT_OBSERVATION: spec.observation_size, REWARD: 1, Q_IN: block.n_in}
    for key, size in sizes.items():
        batch[key] = torch.randn(rows, size, generator=generator)
    batch[ACTION] = torch.rand(rows, spec.action_size, generator=generator) * 2 - 1
    batch[Q_OUT] = torch.rand(rows, block.n_out, generator=generator)
    batch[TERMINATED] = torch.zeros(rows, 1, dtype=torch.bool)
    return Batch(batch, env_steps=1, recent=batch)


class OneBatch:
    """What Lightning iterates over; a bare list it would take for a list of data loaders."""

    def __init__(self, batch):
        self.batch = batch

    def __len__(self):
        return 1

    def __iter__(self):
        yield self.batch


def update_once(compose, engine):
    """The weights after one whole update, into which the circuit enters in the fit, the critics and the actor."""
    from lightning.pytorch import Trainer

    from qtrl.config.instantiate import construct_task
    from qtrl.process.quiet import quiet_libraries
    from qtrl.tasks import RunContext

    quiet_libraries()
    circuit = ("block.readout=expectation", "gradient.pairs=fresh", "gradient.value=block", "algo.policy_delay=1")
    cfg = compose("experiment=pendulum_pqc", "debug=smoke", "logger=csv", f"engine={engine}", *circuit)
    task = construct_task(cfg)
    module = task.make_module(RunContext(Path("run"), cfg.seed))
    start = {name: value.clone() for name, value in module.state_dict().items()}
    off = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    trainer = Trainer(accelerator="cpu", max_epochs=1, **dict.fromkeys(off, False))
    trainer.fit(module, OneBatch(make_batch(task.spec, module.actor.layer.block)))
    assert module.meters.ledger.total().circuits == 3 * 8
    return start, module.state_dict()


def test_one_update_agrees_between_torchquantum_and_statevector(compose):
    start, ours = update_once(compose, "statevector")
    start_again, theirs = update_once(compose, "torchquantum")
    for name, value in ours.items():
        assert torch.equal(start[name], start_again[name])
        torch.testing.assert_close(theirs[name], value, atol=1e-4, rtol=0)
    moved = {name for name in ours if not torch.equal(ours[name], start[name])}
    assert {name.partition(".")[0] for name in moved} == {"actor", "critic", "actor_target", "critic_target"}
    assert any(name.startswith("actor.layer.estimator.") for name in moved)


def test_what_fast_learners_do_works_together(smoke):
    choices = ("critic=categorical", "exploration=spread", "data/transform=n_step", "num_envs=2", "circuit.n_qubits=3")
    numbers = ("algo.preactivation_penalty=1e-5", "algo.lr_decay=cosine", "algo.max_gradient_norm=10")
    folder = smoke("run", "experiment=humanoid_pqc", *choices, *numbers, "callbacks.test_max_episode_steps=10")
    weights = checkpoint_of(folder)["state_dict"]
    assert weights["critic.reward_scale.count"] == 100
    assert all(value.isfinite().all() for value in weights.values())
    assert any(row["loss/critic"] for row in metrics_of(folder))
