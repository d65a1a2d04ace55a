"""A run that ends and goes on equals one that did not end, bit for bit: weights, optimizers, replay, metrics."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from comparing import differences, digests

from qtrl.data import Replay

ROOT = Path(__file__).parents[2]
HALF, WHOLE = 40, 80
"""Env steps: in the 3rd episode, with the ring not yet full; in the 6th, with the first rows overwritten."""
CHOICES = {
    **{block: (f"experiment=pendulum_{block}",) for block in ("pqc", "fc", "rbg", "zeros")},
    **{
        control: ("experiment=pendulum_pqc", f"control={control}")
        for control in ("bernoulli", "fc_matched", "no_entangler", "fixed_angles", "shuffled", "td3")
    },
    "humanoid": ("experiment=humanoid_pqc", "circuit.n_qubits=3"),
    "mapped files": ("experiment=pendulum_fc", "data.storage=memmap"),
    "prioritized": ("experiment=pendulum_fc", "data/sampler=prioritized"),
    "slices": ("experiment=pendulum_fc", "data/sampler=slices", "data.sampler.slice_len=2", "data.storage=memory"),
    "n-step": ("experiment=pendulum_fc", "data/transform=n_step", "num_envs=2"),
    "overlap": ("experiment=pendulum_rbg", "num_envs=2", "env.vector=threads", "data.overlap=true"),
    "workers": ("experiment=pendulum_rbg", "num_envs=2", "env.vector=processes", "env.workers=2"),
    "two updates each": ("experiment=pendulum_pqc", "updates_per_env_step=2"),
    "half an update": ("experiment=pendulum_zeros", "updates_per_env_step=0.5", "num_envs=3"),
    "fresh pairs": (
        "experiment=pendulum_pqc",
        "gradient.pairs=fresh",
        "gradient.value=block",
        "block.readout=sample",
    ),
    "categorical": ("experiment=pendulum_fc", "critic=categorical", "num_envs=2", "data/transform=n_step"),
    "held noise": ("experiment=pendulum_fc", "exploration=held", "num_envs=3"),
    "random estimator": ("experiment=pendulum_pqc", "gradient=spsa"),
}
STOPPED = CHOICES | {"falling rates": ("experiment=pendulum_fc", "algo.lr_decay=cosine")}
"""With what a run of another length would not have."""
QUICK = ("pqc", "fc", "td3", "humanoid", "overlap", "workers")


@pytest.fixture
def half(train, small, tmp_path):
    """Run the first half of a run; return its folder."""

    def begun(*overrides):
        folder = tmp_path / "parts"
        assert train(*small, *overrides, f"total_env_steps={HALF}", f"run_dir={folder}") == 0
        return folder

    return begun


@pytest.mark.parametrize(
    "choice", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in CHOICES]
)
def test_half_and_half_is_the_whole(half, whole, train, choice):
    parts = half(*CHOICES[choice])
    assert train("resume=true", f"run_dir={parts}", f"total_env_steps={WHOLE}") == 0
    found = digests(parts)
    assert len(found) > 100
    assert differences(found, whole(*CHOICES[choice])) == []


def stopped_at(monkeypatch, rows):
    """Ask this process to stop when the replay has so many rows more."""
    extend, seen = Replay.extend, []

    def counted(self, transitions):
        extend(self, transitions)
        seen.append(len(transitions))
        if sum(seen) == rows:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Replay, "extend", counted)


@pytest.mark.parametrize(
    ("choice", "stops"),
    [
        ("pqc", 2),
        *(pytest.param(c, 5, marks=pytest.mark.slow) for c in ("pqc", "mapped files", "overlap", "falling rates")),
    ],
)
def test_many_stops_at_random_steps(whole, train, small, tmp_path, monkeypatch, choice, stops):
    parts, at = tmp_path / "parts", 0
    for stop in sorted(random.Random(choice).sample(range(2, WHOLE - 1, 2), stops)):
        with monkeypatch.context() as patch:
            stopped_at(patch, stop - at)
            assert train(*small, *STOPPED[choice], f"run_dir={parts}", "resume=auto") == 143
        at = stop
    assert train("resume=true", f"run_dir={parts}") == 0
    assert differences(digests(parts), whole(*STOPPED[choice])) == []


@pytest.mark.slow
def test_a_new_process_goes_on_just_as_well(half, whole):
    parts = half(*CHOICES["pqc"])
    command = [sys.executable, "-m", "qtrl.train", "resume=true", f"run_dir={parts}", f"total_env_steps={WHOLE}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, cwd=parts.parent, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert differences(digests(parts), whole(*CHOICES["pqc"])) == []


@pytest.mark.slow
@pytest.mark.parametrize("experiment", ["pendulum_pqc", "humanoid_pqc"])
def test_20_stops_at_random_steps(whole, train, small, tmp_path, monkeypatch, experiment):
    choice = (f"experiment={experiment}", "circuit.n_qubits=3", "num_envs=1", "total_env_steps=400")
    parts, at = tmp_path / "parts", 0
    for stop in sorted(random.Random(experiment).sample(range(1, 399), 20)):
        with monkeypatch.context() as patch:
            stopped_at(patch, stop - at)
            assert train(*small, *choice, f"run_dir={parts}", "resume=auto") == 143
        at = stop
    assert train("resume=true", f"run_dir={parts}") == 0
    assert differences(digests(parts), whole(*choice)) == []
