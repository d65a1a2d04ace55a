import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from qtrl.errors import RunFolderError
from qtrl.files.atomic import new_part, remove_parts, write_text
from qtrl.files.untrusted import read_regular

ROOT = Path(__file__).resolve().parents[2]
PLACES = (
    "metrics.csv",
    "summary.json",
    "eval",
    "videos",
    "checkpoints/best.ckpt",
    "checkpoints/replay",
    "wandb",
    "new",
)


def plant(kind, path, outside):
    """Put something else in the place of a file or folder of the test's own."""
    if path.is_dir():
        path.rename(path.with_name(path.name + ".moved"))
    elif path.is_file():
        path.unlink()
    if kind == "link":
        path.symlink_to(outside)
    elif kind == "relative link":
        path.symlink_to(Path("..", "..", "outside", "precious.txt"))
    elif kind == "dangling link":
        path.symlink_to(outside / "absent")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))


@pytest.fixture
def outside(tmp_path):
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "precious.txt").write_text("precious")
    return folder


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("command", ["eval", "load"])
@pytest.mark.parametrize("kind", ["link", "relative link", "dangling link", "fifo"])
def test_links_and_fifos_are_refused_by_name(kind, place, command, run, outside, refused):
    plant(kind, run / place, outside)
    line = refused(command)
    assert f"{str(run / place)!r} is " in line
    assert list(outside.iterdir()) == [outside / "precious.txt"]


@pytest.mark.parametrize("place", ["metrics.csv", "checkpoints", "checkpoints/replay"])
def test_a_run_does_not_go_on_behind_a_link(place, run, outside, refused):
    plant("link", run / place, outside)
    assert "is a link; a run folder holds regular files only" in refused("train")
    assert (outside / "precious.txt").read_text() == "precious"


def test_resume_auto_does_not_begin_behind_a_link_either(run, outside, train, capsys):
    plant("link", run / "checkpoints", outside)
    options = ("experiment=pendulum_pqc", "debug=smoke", "logger=csv", "callbacks.test_max_episode_steps=5")
    assert train(*options, f"run_dir={run}", "resume=auto") == 2
    assert "is a link" in capsys.readouterr().err
    assert list(outside.iterdir()) == [outside / "precious.txt"]


@pytest.mark.parametrize("name", ["prefetch.pkl", "other.pickle", "pickle.pkl", "transform.t"])
@pytest.mark.parametrize("place", ["", "checkpoints", "checkpoints/replay/rank0"])
def test_files_that_other_libraries_unpickle_are_refused_by_name(name, place, run, refused):
    (run / place).mkdir(parents=True, exist_ok=True)
    (run / place / name).write_bytes(b"cos\nsystem\n(S'touch boom'\ntR.")
    assert f"{name}' is no file of qtrl's" in refused("eval")
    assert "is no file of qtrl's" in refused("train")


@pytest.mark.parametrize("text", ["../../x", "a/b", "", "a b", "x" * 129, "a\nb", "\u00e9", "\0"])
def test_the_id_of_a_wandb_run_is_an_id(text, run, refused):
    (run / "wandb").mkdir()
    (run / "wandb" / "run_id.txt").write_text(text)
    assert "does not hold the id of a W&B run" in refused("train")


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_the_id_of_a_wandb_run_is_in_a_file(kind, run, outside, refused):
    (run / "wandb").mkdir()
    plant(kind, run / "wandb" / "run_id.txt", outside / "precious.txt")
    assert "run_id.txt" in refused("train")


def test_a_folder_cannot_change_where_wandb_sends_a_run(run, refused):
    (run / "wandb").mkdir()
    (run / "wandb" / "settings").write_text("[default]\nbase_url = https://example.invalid\n")
    assert "would change where W&B sends a run" in refused("train")


def test_links_that_wandb_makes_are_fine(run, evaluate):
    (run / "wandb" / "offline-run-1").mkdir(parents=True)
    (run / "wandb" / "latest-run").symlink_to("offline-run-1")
    assert evaluate(f"run={run}", "episodes=1") == 0


@pytest.mark.parametrize("kind", ["link", "relative link", "dangling link", "fifo", "socket", "folder"])
def test_only_regular_files_are_read(kind, tmp_path, outside, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    path = Path("file")
    if kind == "folder":
        path.mkdir()
    else:
        plant(kind, path, outside / "precious.txt")
    with pytest.raises(RunFolderError, match="regular file"):
        read_regular(path, limit=100)


def test_devices_are_not_read():
    with pytest.raises(RunFolderError, match="no regular file"):
        read_regular(Path(os.devnull), limit=100)


def test_what_was_opened_is_what_is_looked_at(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("harmless")
    opened = os.open

    def open_then_exchange(name, flags, *args):
        descriptor = opened(name, flags, *args)
        path.unlink()
        path.symlink_to(tmp_path / "exchanged")
        return descriptor

    monkeypatch.setattr(os, "open", open_then_exchange)
    assert read_regular(path, limit=100) == b"harmless"
    monkeypatch.undo()
    with pytest.raises(RunFolderError, match="it is a link"):
        read_regular(path, limit=100)


def test_a_planted_part_is_not_written_through(tmp_path, outside):
    path, precious = tmp_path / "summary.json", outside / "precious.txt"
    for name in ("summary.json.part", ".summary.json.part", ".summary.json.link.part"):
        (tmp_path / name).symlink_to(precious)
    write_text(path, "new")
    assert (path.read_text(), precious.read_text()) == ("new", "precious")
    path.unlink()
    path.symlink_to(precious)
    write_text(path, "newer")
    assert (path.read_text(), path.is_symlink(), precious.read_text()) == ("newer", False, "precious")


def test_parts_of_killed_writers_are_removed_and_nothing_else(tmp_path, outside):
    descriptor, part = new_part(tmp_path / "last.ckpt")
    os.close(descriptor)
    link = tmp_path / ".last.ckpt.prev.link.part"
    link.write_text("")
    kept = [
        "last.ckpt",
        "a.part",
        ".mine.part",
        ".last.ckpt.0123.part",
        ".part",
        ".last.ckpt.0123456789abcdef.part.txt",
    ]
    for name in kept:
        (tmp_path / name).write_text("")
    (tmp_path / ".a.0123456789abcdef.part").symlink_to(outside / "precious.txt")
    (tmp_path / ".b.0123456789abcdef.part").mkdir()
    remove_parts(tmp_path)
    assert not part.exists()
    assert not link.exists()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {*kept, "outside", ".a.0123456789abcdef.part", ".b.0123456789abcdef.part"}
    assert (outside / "precious.txt").read_text() == "precious"


def test_the_installed_command_does_not_look_in_the_current_folder(tmp_path):
    (tmp_path / "hydra.py").write_text("raise SystemExit('shadowed')")
    script = tmp_path / "bin" / "qtrl-eval"
    script.parent.mkdir()
    script.write_text("from qtrl.eval import main\nmain()\n")  # what pip writes for an entry point
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script), "nope=1"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "unknown key 'nope'" in done.stderr
