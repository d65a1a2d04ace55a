"""A run that stops and goes on, callback by callback; whole commands are in tests/reliability."""

import signal

import pytest
import torch
from lightning.pytorch import Callback

from qtrl import callbacks
from qtrl.callbacks import Checkpoints, MetricRows, Probe, QGuard, Reproducibility, SaturationGuard
from qtrl.files.checkpoint import read_checkpoint
from qtrl.process.stopping import Interruption, Stop
from qtrl.seeding import random_states, set_random_states


class StopsAt(Stop):
    """Is asked to stop at the n-th look."""

    def __init__(self, looks):
        super().__init__()
        self.looks = looks

    def check(self):
        self.looks -= 1
        if self.looks == 0:
            raise Interruption(signal.SIGTERM)


def all_of(folder):
    return lambda testing: [
        Reproducibility({"threads": 1}),
        QGuard(every_env_steps=5),
        MetricRows(every_env_steps=5),
        Probe(rows=4, every_env_steps=10, seed=0, total_env_steps=30),
        testing,
        Checkpoints(folder, testing, every_env_steps=10),
    ]


def timeless(rows):
    return [{k: v for k, v in row.items() if not k.startswith(("time/", "quantum/seconds"))} for row in rows]


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.fixture(scope="module")
def whole(shared_run, tmp_path_factory):
    """A run that nothing stopped, and its last checkpoint."""
    folder = tmp_path_factory.mktemp("whole")
    return shared_run(all_of(folder)), read_checkpoint(folder / "last.ckpt")


# 30 env steps: looks before each, after each of 20 updates, and 7 in each of the tests at 11, 20, 30.
@pytest.mark.parametrize("looks", [5, 12, 15, 20, 33, 44, 47, 66, 70])
def test_a_run_stopped_anywhere_goes_on_as_if_it_had_not_been(small_run, whole, tmp_path, looks):
    whole, theirs = whole
    with pytest.raises(Interruption):
        small_run(all_of(tmp_path / "split"), stop=StopsAt(looks), name="split")
    path = tmp_path / "split" / "last.ckpt"
    rest = small_run(all_of(tmp_path / "split"), ckpt_path=path, weights_only=True, name="split")
    assert same(rest.module.state_dict(), whole.module.state_dict())
    assert rest.module.meters.ledger.circuits == whole.module.meters.ledger.circuits
    rows = timeless(small_run.rows["split"])
    assert [row for row in rows if "probe/bce" not in row] == [
        row for row in timeless(whole.rows) if "probe/bce" not in row
    ]
    assert rows == timeless(whole.rows)
    ours = read_checkpoint(tmp_path / "split" / "last.ckpt")
    for key in ("optimizer_states", "generators", "random_states", "metrics", "callbacks", "env_steps", "updates"):
        assert same(ours[key], theirs[key]), key
    assert (tmp_path / "split" / "best.ckpt").exists()


def test_global_random_states_come_back():
    states = random_states()
    torch.rand(3)
    drawn = torch.rand(3)
    set_random_states(states)
    torch.rand(3)
    assert torch.equal(torch.rand(3), drawn)


def test_other_numerics_are_said_and_the_same_are_not(small_run, tmp_path, capsys):
    def make(threads):
        return lambda testing: [
            Reproducibility({"threads": threads, "torch": "2"}),
            Checkpoints(tmp_path, testing, every_env_steps=10),
        ]

    small_run(make(1))
    path = tmp_path / "last.ckpt"
    small_run(make(1), total=31, ckpt_path=path, weights_only=True)
    assert capsys.readouterr().err == ""
    small_run(make(2), total=32, ckpt_path=path, weights_only=True)
    assert "made with other numerics (threads 1 -> 2)" in capsys.readouterr().err


def test_values_that_rewards_cannot_reach_are_flagged_once(small_run, capsys):
    class Explode(Callback):
        def on_train_batch_start(self, trainer, pl_module, *args):
            with torch.no_grad():
                for parameter in pl_module.critic_target.parameters() if pl_module.updates == 7 else ():
                    parameter.mul_(100.0)

    make = lambda testing: [QGuard(every_env_steps=5), MetricRows(every_env_steps=5)]  # noqa: E731
    calm = small_run(make)
    assert all(0 < row["train/q_over_bound"] < 1 for row in calm.rows)
    assert capsys.readouterr().err == ""
    wild = small_run(lambda testing: [Explode(), *make(testing)])
    assert max(row["train/q_over_bound"] for row in wild.rows) > 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("qtrl: Q explosion at env step 20: rewards so far, at most ")


def test_values_that_begin_too_large_are_no_explosion(small_run, capsys):
    def large(module, testing):
        with torch.no_grad():
            for parameter in module.critic_target.parameters():
                parameter.mul_(100.0)

    run = small_run(lambda testing: [QGuard(every_env_steps=5), MetricRows(every_env_steps=5)], before=large)
    assert min(row["train/q_over_bound"] for row in run.rows) > 1
    assert capsys.readouterr().err == ""


def test_without_discount_there_is_no_bound(small_run):
    run = small_run(
        lambda testing: [QGuard(every_env_steps=5), MetricRows(every_env_steps=5)], overrides=("algo.gamma=1",)
    )
    assert all("train/q_over_bound" not in row for row in run.rows)


def test_every_callback_with_a_state_brings_it_back():
    testing = callbacks.Testing("Pendulum-v1", episodes=1, every_env_steps=1, seed=0)
    probe = Probe(rows=2, every_env_steps=1, seed=0, total_env_steps=10)
    probe.load_state_dict({"last": 3, "history": {"layer": {"explained_share": {3: 0.5}, "angle_gradient_cosine": {}}}})
    for callback in (MetricRows(every_env_steps=1), probe, testing):
        state = callback.state_dict()
        callback.load_state_dict(state)
        assert callback.state_dict() == state


def saturate(module, testing):
    with torch.no_grad():
        module.actor.post[-1].bias.fill_(100.0)


def shares(run):
    """Of the rows after the first update of the actor."""
    found = [row["train/saturated_share"] for row in run.rows if "train/saturated_share" in row]
    assert len(found) > 2
    return found


def test_actions_that_stay_saturated_are_said_once(small_run, capsys):
    make = lambda testing: [SaturationGuard(every_env_steps=2), MetricRows(every_env_steps=5)]  # noqa: E731
    calm = small_run(make)
    assert all(0 <= share < 0.5 for share in shares(calm))
    assert capsys.readouterr().err == ""
    wild = small_run(make, before=saturate, name="wild")
    assert set(shares(wild)) == {1.0}
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("qtrl: 100% of the actions are beyond 0.99 at env step ")
    assert " and stay so: " in lines[0]


def test_actions_that_are_saturated_for_a_while_are_not_said(small_run, capsys):
    small_run(lambda testing: [SaturationGuard(every_env_steps=6)], before=saturate)  # four looks
    assert capsys.readouterr().err == ""
