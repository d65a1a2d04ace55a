import errno
import os
from types import SimpleNamespace

import pytest

from qtrl.errors import RunFolderError
from qtrl.process.launchers import HANDED_DOWN
from qtrl.run.folder import new_run_dir

SMOKE = ("experiment=pendulum_zeros", "debug=smoke", "logger=csv", "callbacks.test_max_episode_steps=5")
SMOKE += ("total_env_steps=20", "warmup_env_steps=15", "callbacks.probe_every_env_steps=null")


@pytest.fixture(autouse=True)
def variable(monkeypatch):
    """What a run hands down to its ranks is taken back."""
    monkeypatch.setenv(HANDED_DOWN, "")


def begin(path):
    with new_run_dir(SimpleNamespace(folder=path, resume="auto"), "seed: 0\n"):
        assert (path / "config.yaml").read_text() == "seed: 0\n"
        assert os.environ[HANDED_DOWN] == str(path)


def test_a_folder_in_which_a_run_was_killed_at_its_start_is_begun_in_anew(tmp_path):
    for left in ((), ("checkpoints",), ("checkpoints/replay", "metrics.csv", "config.yaml", "summary.json")):
        path = tmp_path / str(len(left))
        for name in left:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text("x") if "." in name else (path / name).mkdir()
        begin(path)
        assert {entry.name for entry in path.iterdir()} <= {"checkpoints", "config.yaml"}
        assert list((path / "checkpoints").iterdir()) == []


@pytest.mark.parametrize("name", ["notes.txt", "checkpoints/last.ckpt", "checkpoints/last.ckpt.prev"])
def test_anything_else_is_not_touched(tmp_path, name):
    path = tmp_path / "run"
    (path / name).parent.mkdir(parents=True)
    (path / name).write_text("precious")
    with pytest.raises(RunFolderError):
        begin(path)
    assert (path / name).read_text() == "precious"


def test_nothing_is_deleted_behind_a_link(tmp_path):
    victim, path = tmp_path / "victim", tmp_path / "run"
    (victim / "replay").mkdir(parents=True)
    (victim / "replay" / "x").write_text("precious")
    path.mkdir()
    (path / "checkpoints").symlink_to(victim)
    with pytest.raises(RunFolderError, match="is a link"):
        begin(path)
    assert (victim / "replay" / "x").read_text() == "precious"


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_start_on_a_full_disk_leaves_nothing_in_the_way_of_the_next(train, tmp_path, monkeypatch, capsys):
    path = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        assert train(*SMOKE, f"run_dir={path}") == 2
    assert "config.yaml cannot be written: No space left on device" in capsys.readouterr().err
    assert not path.exists()
    assert train(*SMOKE, f"run_dir={path}") == 0


def test_a_disk_that_is_full_at_the_end_is_told_in_one_line(train, tmp_path, monkeypatch, capsys):
    path, replace = tmp_path / "run", os.replace

    def full_for_the_picture(part, target):
        return full() if target.name == "learning_curve.png" else replace(part, target)

    monkeypatch.setattr(os, "replace", full_for_the_picture)
    assert train(*SMOKE, f"run_dir={path}") == 2
    assert "learning_curve.png cannot be written: No space left on device" in capsys.readouterr().err
    assert (path / "summary.json").is_file()


def test_a_result_is_printed_although_its_checkpoint_cannot_be_written(train, tmp_path, monkeypatch, capsys):
    path, replace = tmp_path / "run", os.replace

    def full_for_the_checkpoint(part, target):
        return full() if target.name == "last.ckpt" else replace(part, target)

    monkeypatch.setattr(os, "replace", full_for_the_checkpoint)
    assert train(*SMOKE, f"run_dir={path}") == 2
    said = capsys.readouterr()
    assert "last.ckpt" in said.err
    assert "test return" in said.out
