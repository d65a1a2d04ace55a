"""What goes wrong inside a run: it stops in one line, the last checkpoint is a good one, and it can be gone on with."""

import errno
import os
import time
from itertools import count, product
from pathlib import Path

import pytest
import torch
from comparing import differences, digests, replay_rows
from faults import Faults, injected

from qtrl.files.checkpoint import read_checkpoint

ZEROS, PQC = ("experiment=pendulum_zeros",), ("experiment=pendulum_pqc",)


def last_of(folder):
    return folder / "checkpoints" / "last.ckpt"


def the_line(capsys):
    """The one line on stderr."""
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("qtrl: ")
    return line


@pytest.fixture
def run(train, small, tmp_path):
    return lambda name, *overrides: train(*small, *overrides, f"run_dir={tmp_path / name}")


class FullDisk(Faults):
    """Every write into the folder fails once it has a checkpoint.

    Args:
        folder: The run folder.
        number: The error.
        only: Words that the name of a call begins with; empty for all.
    """

    def __init__(self, folder, number, only=""):
        super().__init__(folder, 0)
        self.number, self.only, self.old = number, only, b""

    def meet(self, name):
        full = name.startswith(self.only) and last_of(self._folder).exists()
        if full and not self.old:
            self.old = last_of(self._folder).read_bytes()
        return full

    def fail(self):
        raise OSError(self.number, os.strerror(self.number))


def disks():
    """The quick tests have a full disk and a read-only one."""
    quick = {("memory", errno.ENOSPC, ""), ("memmap", errno.EROFS, "")}
    for disk in product(("memory", "memmap"), (errno.ENOSPC, errno.EROFS), ("", "file.write", "fsync", "replace")):
        yield pytest.param(*disk, marks=() if disk in quick else pytest.mark.slow)


@pytest.mark.parametrize(("storage", "number", "only"), list(disks()))
def test_a_disk_that_cannot_be_written_stops_the_run_and_nothing_is_lost(
    run, whole, tmp_path, capsys, storage, number, only
):
    folder, options = tmp_path / "run", (*ZEROS, f"data.storage={storage}", "checkpoint_every_env_steps=30")
    with injected(FullDisk(folder, number, only)) as disk:
        status = run("run", *options)
    line = the_line(capsys)
    assert status == 2, line
    assert os.strerror(number) in line or "checkpoint is kept" in line
    assert read_checkpoint(last_of(folder))["env_steps"] == 30
    assert last_of(folder).read_bytes() == disk.old
    assert run("run", *options, "resume=auto") == 0
    assert differences(digests(folder), whole(*options)) == []


def check_stopped_at(env_steps, folder, status, line, *words):
    assert status == 2
    assert all(word in line for word in words), line
    checkpoint = read_checkpoint(last_of(folder))
    assert checkpoint["env_steps"] == env_steps
    rows = replay_rows(folder, checkpoint)
    assert all(value.isfinite().all() for value in rows.values() if value.is_floating_point())
    assert all(value.isfinite().all() for value in checkpoint["state_dict"].values())


IN_A_WORKER = ("num_envs=2", "env.vector=processes")


@pytest.mark.parametrize(
    ("what", "options"),
    [
        ("reward", ()),
        ("observation", ()),
        ("reward", IN_A_WORKER),
        pytest.param("observation", IN_A_WORKER, marks=pytest.mark.slow),
    ],
)
def test_an_environment_that_gives_nan(run, tmp_path, capsys, monkeypatch, what, options):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    status = run("run", *ZEROS, *options, f"env.id=faulty_envs:Late_{what}-v0", "total_env_steps=120")
    line = the_line(capsys)
    steps = 98 if options else 49  # each of two environments is at its 50th step after 100 of both
    check_stopped_at(steps, tmp_path / "run", status, line, "step gave", what, "expected", "everything is saved")


def after(calls, function, value):
    """Wrap a function that gives what `value` makes of its result from some call on."""
    number = count()

    def wrapped(*args, **kwargs):
        result = function(*args, **kwargs)
        return value(result) if next(number) >= calls else result

    return wrapped


def test_a_loss_that_becomes_nan(run, tmp_path, capsys, monkeypatch):
    from qtrl.algos import update_networks

    monkeypatch.setattr(
        update_networks, "critic_loss", after(25, update_networks.critic_loss, lambda loss: loss * float("nan"))
    )
    status = run("run", *ZEROS)
    check_stopped_at(40, tmp_path / "run", status, the_line(capsys), "critic loss", "nan")


def test_a_learning_rate_that_makes_it_diverge(run, tmp_path, capsys):
    status = run("run", *ZEROS, "algo.critic_optimizer.lr=1e20", "test_every_env_steps=1000")
    assert status == 2
    line = the_line(capsys)
    assert "critic loss" in line
    assert not last_of(tmp_path / "run").exists() or read_checkpoint(last_of(tmp_path / "run"))


def test_a_block_that_gives_nan(run, tmp_path, capsys, monkeypatch):
    from qtrl.nn import Zeros

    def spoil(output):
        return torch.full_like(output, float("nan"))

    monkeypatch.setattr(Zeros, "forward", after(45, Zeros.forward, spoil))
    status = run("run", *ZEROS)
    line = the_line(capsys)
    assert status == 2, line
    check_nothing_bad_is_kept(tmp_path / "run")


def check_nothing_bad_is_kept(folder):
    if last_of(folder).exists():
        checkpoint = read_checkpoint(last_of(folder))
        values = [*checkpoint["state_dict"].values(), *replay_rows(folder, checkpoint).values()]
        assert all(value.isfinite().all() for value in values)


def test_a_clock_that_jumps_changes_nothing(run, whole, tmp_path, monkeypatch):
    jumps, now = count(), time.time

    def jumping():
        return now() + (-1) ** next(jumps) * 1e7

    with monkeypatch.context() as patch:
        patch.setattr(time, "time", jumping)
        assert run("run", *PQC) == 0
    assert differences(digests(tmp_path / "run"), whole(*PQC)) == []


@pytest.mark.parametrize("vector", ["processes", pytest.param("threads", marks=pytest.mark.slow)])
def test_a_seed_repeats_bit_for_bit_with_environments_beside(run, tmp_path, vector):
    options = (*PQC, "deterministic=true", "num_envs=2", f"env.vector={vector}", "env.workers=2")
    assert run("first", *options) == 0
    assert run("second", *options) == 0
    assert differences(digests(tmp_path / "first"), digests(tmp_path / "second")) == []
