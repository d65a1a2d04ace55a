"""A checkpoint that is not the one that was saved: refused by its checksum, or by a line that says what is wrong."""

import contextlib
import copy
import io
import random
import shutil

import pytest
import torch
from comparing import flat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qtrl.errors import CheckpointError
from qtrl.files.checkpoint import read_checkpoint, write_checkpoint

QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None, "derandomize": True}
MANY = pytest.param(20, marks=pytest.mark.slow)


@pytest.fixture(scope="module")
def saved(train, small, tmp_path_factory):
    """The folder of a run, and the bytes of its last checkpoint."""
    folder = tmp_path_factory.mktemp("fuzzed") / "run"
    assert train(*small, "experiment=pendulum_pqc", "total_env_steps=40", f"run_dir={folder}") == 0
    return folder, (folder / "checkpoints" / "last.ckpt").read_bytes()


def refused(path, data):
    path.write_bytes(data)
    try:
        read_checkpoint(path)
    except CheckpointError as error:
        assert "\n" not in str(error)
        return True
    return False


@pytest.mark.parametrize("times", [1, MANY])
def test_flipped_bits_are_refused(saved, tmp_path, times):
    draw, whole = random.Random(times), saved[1]
    for _ in range(300 * times):
        data, place = bytearray(whole), draw.randrange(8 * len(whole))
        data[place // 8] ^= 1 << place % 8
        assert refused(tmp_path / "a.ckpt", data), place


@pytest.mark.parametrize("times", [1, MANY])
def test_cut_files_are_refused(saved, tmp_path, times):
    draw, whole = random.Random(times), saved[1]
    for _ in range(50 * times):
        kept = draw.randrange(len(whole))
        assert refused(tmp_path / "a.ckpt", whole[:kept]), kept


def changed(draw, data):
    """Insert, remove, repeat, swap or overwrite some bytes."""
    first, second = sorted(draw.sample(range(len(data)), 2))
    third = min(len(data), second + draw.choice([1, 7, 64, 512, 4096]))
    some = draw.choice([b"\0", b"PK\x05\x06", b"qtrl-sha256:", draw.randbytes(draw.randrange(1, 600))])
    return draw.choice(
        [
            data[:first] + some + data[first:],
            data[:first] + data[second:],
            data[:second] + data[first:],
            data[:first] + data[second:third] + data[first:second] + data[third:],
            data[:first] + some + data[first + len(some) :],
            some + data,
            data + some,
        ]
    )


@pytest.mark.parametrize("times", [1, MANY])
def test_files_changed_in_other_ways_are_refused(saved, tmp_path, times):
    draw, whole = random.Random(times), saved[1]
    for number in range(200 * times):
        data = changed(draw, whole)
        assert data == whole or refused(tmp_path / "a.ckpt", data), number


@given(data=st.binary(max_size=500), end=st.sampled_from([b"", b"PK\x05\x06" + bytes(18), b"qtrl-sha256:" + bytes(32)]))
@settings(max_examples=200, **QUIET)
def test_files_of_anything_are_refused(tmp_path, data, end):
    assert refused(tmp_path / "a.ckpt", data + end)


def spoiled(draw, checkpoint):
    """Take one thing out of a checkpoint, or put another in its place; say where."""
    spoilt = copy.deepcopy(checkpoint)
    where, _ = draw.choice([leaf for leaf in flat(spoilt) if not leaf[0].startswith("loops.fit_loop.epoch")])
    keys, node = where.split("."), spoilt
    while len(keys) > 1:
        name, length = _longest(node, keys)
        if length == len(keys):
            break
        node, keys = node[name], keys[length:]
    name = _longest(node, keys)[0]
    wrong = [None, -1, 2**70, float("nan"), "x", [], {}, torch.zeros(3), torch.zeros(0, 7), torch.tensor(float("nan"))]
    kept = type(node[name])
    value = draw.choice(wrong)
    if isinstance(node, dict) and draw.random() < 0.3:
        del node[name]
        return spoilt, f"{where} removed"
    if isinstance(node, tuple):
        return spoilt, ""
    node[name] = value
    return spoilt, f"{where}: {kept.__name__} -> {value!r}"


def _longest(node, keys):
    """Find the key that a path begins with; keys may hold full stops."""
    for length in range(len(keys), 0, -1):
        name = ".".join(keys[:length])
        for key in (name, int(name)) if name.isdigit() else (name,):
            if isinstance(node, dict) and key in node:
                return key, length
            if isinstance(node, list | tuple) and isinstance(key, int):
                return key, length
    raise KeyError(keys)


@pytest.mark.parametrize("times", [1, MANY])
def test_a_signed_checkpoint_with_a_wrong_part_is_a_run_or_a_line(saved, train, tmp_path, times):
    draw, failures = random.Random(times), []
    checkpoint = read_checkpoint(saved[0] / "checkpoints" / "last.ckpt")
    for number in range(4 * times):
        folder = tmp_path / str(number)
        shutil.copytree(saved[0], folder)
        spoilt, what = spoiled(draw, checkpoint)
        write_checkpoint(spoilt, folder / "checkpoints" / "last.ckpt")
        err = io.StringIO()
        try:
            with contextlib.redirect_stderr(err):
                status = train("resume=true", f"run_dir={folder}", "total_env_steps=44")
        except Exception as error:
            failures.append(f"{what}: {type(error).__name__}: {error}")
            continue
        lines = err.getvalue().splitlines()
        if status not in (0, 2) or (status == 2 and (len(lines) != 1 or not lines[0].startswith("qtrl: "))):
            failures.append(f"{what}: status {status}, {lines}")
        shutil.rmtree(folder)
    assert not failures, "\n".join(failures)
