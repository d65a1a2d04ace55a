import shutil
from types import SimpleNamespace

import pytest

from qtrl.config.instantiate import construct_task
from qtrl.tasks import RunContext

SMOKE = ("experiment=pendulum_zeros", "debug=smoke", "logger=csv", "callbacks.test_max_episode_steps=5")
SMOKE += ("actor.hidden=16", "critic.hidden=16", "callbacks.probe_every_env_steps=null")


def make_stream(cfg, folder, **ranks):
    task, context = construct_task(cfg), RunContext(folder, seed=0, **ranks)
    return task.make_data(task.make_module(context), context)


@pytest.mark.parametrize(
    ("storage", "rank", "world_size"), [("memory", 0, 1), ("memory", 1, 3), ("memmap", 0, 1), ("memmap", 1, 3)]
)
def test_files_have_room_for_two_intervals_between_saves(compose, tmp_path, storage, rank, world_size):
    sizes = ("data.capacity=2000", "checkpoint_every_env_steps=1000", "num_envs=7", "total_env_steps=9000")
    stream = make_stream(compose(*SMOKE, *sizes, f"data.storage={storage}"), tmp_path, rank=rank, world_size=world_size)
    stream.replay.commit()
    (file,) = tmp_path.glob(f"checkpoints/replay/rank{rank}/next.reward.bin")
    assert file.stat().st_size >= 4 * (2000 + 2 * (1000 // world_size + 7))


@pytest.mark.parametrize("storage", ["memory", "memmap"])
def test_a_replay_that_does_not_fit_is_refused_before_the_run(train, tmp_path, capsys, monkeypatch, storage):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=50_000_000, total=1))
    sizes = (f"data.storage={storage}", "data.capacity=1_000_000", "total_env_steps=1_000_000")
    assert train(*SMOKE, *sizes, f"run_dir={tmp_path / 'run'}") == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("qtrl: the replay")]
    assert " needs 0." in line
    assert "there are 0.05 GB: set data.capacity to at most " in line
    assert not (tmp_path / "run").exists()


def test_without_files_the_disk_does_not_matter(compose, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0, total=1))
    cfg = compose(*SMOKE, "checkpoint_replay=none", "data.storage=memory")
    assert make_stream(cfg, tmp_path).replay.capacity == 1000


def test_a_run_goes_on_without_a_damaged_replay_when_told_so(train, tmp_path, capsys):
    folder = tmp_path / "run"
    assert train(*SMOKE, "data.storage=memmap", f"run_dir={folder}") == 0
    path = folder / "checkpoints" / "replay" / "rank0" / "action.bin"
    path.write_bytes(b"\xff" * path.stat().st_size)
    assert train("resume=true", f"run_dir={folder}", "total_env_steps=170") == 2
    assert (
        "action.bin: rows 0 to 99 are damaged; checkpoint_replay=none with resume_force=true goes on without it"
        in capsys.readouterr().err
    )
    path.write_bytes(b"")
    without = ("checkpoint_replay=none", "resume_force=true")
    assert train("resume=true", f"run_dir={folder}", "total_env_steps=170", *without) == 0
