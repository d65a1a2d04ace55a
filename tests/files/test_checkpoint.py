import contextlib
import os
import random
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from qtrl.errors import CheckpointError
from qtrl.files.checkpoint import read_checkpoint, read_newest, recover_checkpoint, write_checkpoint


def checkpoint(seed=0):
    weights = torch.randn(50, 40, generator=torch.Generator().manual_seed(seed))
    return {
        "state_dict": OrderedDict(weights=weights, flag=torch.tensor(True)),
        "env_steps": 7,
        "loops": {"a": [1, 2.5, None, "x", (True, {3})]},
        "optimizer_states": [{"state": {0: {"step": torch.tensor(3.0)}}}],
    }


@pytest.fixture
def path(tmp_path):
    target = tmp_path / "folder" / "last.ckpt"
    write_checkpoint(checkpoint(), target)
    return target


def same(a, b):
    return torch.equal(a.pop("state_dict")["weights"], b.pop("state_dict")["weights"]) and str(a) == str(b)


def test_what_is_saved_is_read_back(path):
    assert same(read_checkpoint(path), checkpoint())
    assert [file.name for file in path.parent.iterdir()] == ["last.ckpt"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_torch_alone_reads_it_too(path):
    assert same(torch.load(path, weights_only=True), checkpoint())


def test_the_previous_one_is_kept(path):
    old = path.read_bytes()
    write_checkpoint(checkpoint(1), path)
    write_checkpoint(checkpoint(2), path)
    assert {file.name for file in path.parent.iterdir()} == {"last.ckpt", "last.ckpt.prev"}
    assert same(read_checkpoint(path.with_name("last.ckpt.prev")), checkpoint(1))
    assert same(read_checkpoint(path), checkpoint(2))
    assert old != path.read_bytes()


@pytest.mark.parametrize("seed", range(20))
def test_a_flipped_bit_is_noticed(path, seed):
    data = bytearray(path.read_bytes())
    position = random.Random(seed).randrange(len(data) * 8)
    data[position // 8] ^= 1 << position % 8
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="is damaged|is not a checkpoint"):
        read_checkpoint(path)


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, -1, -30, -43, -45, -60])
def test_a_cut_file_is_noticed(path, kept):
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))] if isinstance(kept, float) else data[:kept])
    with pytest.raises(CheckpointError, match="is damaged|is not a checkpoint"):
        read_checkpoint(path)


@pytest.mark.parametrize("position", [-44, -40, -33, -32, -1])
def test_a_changed_byte_of_the_trailer_is_noticed(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 255
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="is damaged|is not a checkpoint"):
        read_checkpoint(path)


def test_a_file_that_torch_alone_wrote_is_read_too(tmp_path):
    torch.save(checkpoint(), tmp_path / "a.ckpt")
    assert same(read_checkpoint(tmp_path / "a.ckpt"), checkpoint())


def test_nothing_in_a_file_is_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "boom",)

    path = tmp_path / "a.ckpt"
    torch.save({"state_dict": {}, "bomb": Bomb()}, path)
    with pytest.raises(CheckpointError, match="is not a checkpoint that loads with weights_only=True"):
        read_checkpoint(path)
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize("content", [[1, 2], {"weights": 1}])
def test_other_files_of_torch_are_no_checkpoints(tmp_path, content):
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match="it has no state_dict"):
        read_checkpoint(tmp_path / "a.ckpt")


def test_an_absent_file_is_told(tmp_path):
    with pytest.raises(CheckpointError, match=f"no checkpoint at {tmp_path}/a.ckpt"):
        read_checkpoint(tmp_path / "a.ckpt")


@pytest.mark.parametrize(
    ("bad", "where"),
    [
        (Path("/"), r"checkpoint\.loops\.a\[1\] holds a PosixPath"),
        (torch.nn.Linear(1, 1), r"checkpoint\.loops\.a\[1\] holds a Linear"),
        (torch.nn.Parameter(torch.zeros(1)), r"checkpoint\.loops\.a\[1\] holds a Parameter"),
        (len, r"checkpoint\.loops\.a\[1\] holds a builtin_function_or_method"),
    ],
)
def test_what_is_not_plain_is_refused_and_named(path, bad, where):
    before = path.read_bytes()
    content = checkpoint()
    content["loops"]["a"][1] = bad
    with pytest.raises(CheckpointError, match=where):
        write_checkpoint(content, path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("broken", ["torch.save", "os.fsync", "os.replace", "os.link"])
def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing_behind(path, monkeypatch, broken):
    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    before = path.read_bytes()
    monkeypatch.setattr(broken, fail)
    with pytest.raises(CheckpointError, match="No space left on device; the previous checkpoint is kept"):
        write_checkpoint(checkpoint(1), path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["last.ckpt"]
    monkeypatch.undo()
    write_checkpoint(checkpoint(1), path)
    assert {file.name for file in path.parent.iterdir()} == {"last.ckpt", "last.ckpt.prev"}


def pair(folder):
    """Two checkpoints, the older one as `.prev`."""
    path = folder / "last.ckpt"
    for number in (1, 2):
        write_checkpoint({"state_dict": {}, "env_steps": number}, path)
    return path


@pytest.mark.parametrize("damage", ["flipped", "cut", "missing", "a link"])
def test_the_previous_checkpoint_is_taken_and_put_in_place(damage, tmp_path, capsys):
    path = pair(tmp_path)
    data = bytearray(path.read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        path.unlink()
    if damage == "a link":
        path.symlink_to(tmp_path / "elsewhere")
    before = sorted(tmp_path.iterdir())
    checkpoint, taken = read_newest(path)
    assert (checkpoint["env_steps"], taken.name) == (1, "last.ckpt.prev")
    assert "last.ckpt.prev is taken instead" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before
    assert recover_checkpoint(path)["env_steps"] == 1
    assert read_checkpoint(path)["env_steps"] == 1
    assert os.path.lexists(tmp_path / "last.ckpt.damaged") == (damage != "missing")
    capsys.readouterr()
    assert recover_checkpoint(path)["env_steps"] == 1
    assert capsys.readouterr().err == ""
    write_checkpoint({"state_dict": {}, "env_steps": 3}, path)
    assert [read_checkpoint(file)["env_steps"] for file in (path, taken)] == [3, 1]
    assert not list(tmp_path.glob(".*.part"))


def test_with_no_good_checkpoint_the_reason_is_the_newer_ones(tmp_path):
    path = pair(tmp_path)
    for file in (path, path.with_name("last.ckpt.prev")):
        file.write_bytes(b"x" * 100)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CheckpointError, match=r"last.ckpt is not a checkpoint, or only a part of one"):
        recover_checkpoint(path)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("call", range(20))
def test_a_kill_during_recovery_leaves_a_checkpoint(call, tmp_path, monkeypatch):
    class Kill(BaseException):
        pass

    calls = []

    def counting(function):
        def counted(*args, **kwargs):
            calls.append(function)
            if len(calls) > call:
                raise Kill
            return function(*args, **kwargs)

        return counted

    path = pair(tmp_path)
    path.write_bytes(b"damaged")
    for name in ("link", "replace", "unlink", "fsync"):
        monkeypatch.setattr(os, name, counting(getattr(os, name)))
    with contextlib.suppress(Kill):
        recover_checkpoint(path)
    monkeypatch.undo()
    assert recover_checkpoint(path)["env_steps"] == 1
    assert read_checkpoint(path)["env_steps"] == 1
