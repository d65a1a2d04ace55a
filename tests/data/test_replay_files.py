import os
import random

import pytest
import torch
from numbered_rows import COLUMNS, assert_exact, make_replay, make_rows, numbers

from qtrl.keys import Q_IN


def extend_to(replay, written, step=1):
    while replay.written < written:
        replay.extend(make_rows(replay.written, min(step, written - replay.written)))


def resumed(folder, storage, state, **sizes):
    back = make_replay(folder, storage, seed=5, **sizes)
    back.load_state_dict(state)
    return back


@pytest.mark.parametrize("written", [0, 7, 10, 23])
def test_a_committed_replay_comes_back_with_its_rows_and_samples(tmp_path, storage, written):
    replay = make_replay(tmp_path, storage)
    for _ in range(written):
        extend_to(replay, replay.written + 1)
        replay.sample()
    replay.commit()
    back = resumed(tmp_path, storage, replay.state_dict())
    assert torch.equal(back.state_dict()["generator"], replay.state_dict()["generator"])
    assert_exact(back, written)
    back.load_state_dict(replay.state_dict())
    for number in range(written + 1, written + 15):
        for one in (replay, back):  # mapped, both write the same number into the same place
            extend_to(one, number)
        assert numbers(back.sample()) == numbers(replay.sample())


@pytest.mark.parametrize("seed", range(5))
def test_the_last_two_checkpoints_find_their_rows_whatever_was_written_since(tmp_path, storage, small_blocks, seed):
    """Random commits and resumptions, from the last checkpoint and the one before, several times around the ring."""
    chance, sizes = random.Random(seed), {"capacity": 30, "slack": 24}
    replay = make_replay(tmp_path, storage, **sizes)
    replay.commit()
    kept, resumptions = [replay.state_dict()], 0
    while replay.written < 300:
        extend_to(replay, replay.written + chance.randint(0, 12), step=chance.randint(1, 5))
        committed = chance.random() < 0.8
        if committed:
            replay.commit()
            if chance.random() < 0.8:  # otherwise killed before the checkpoint took its name
                kept = [*kept[-1:], replay.state_dict()]
                continue
        for state in kept:
            assert_exact(resumed(tmp_path, storage, state, **sizes), state["written"])
        state = kept[-1] if chance.random() < 0.7 else kept[0]
        kept = [state]
        replay = resumed(tmp_path, storage, state, **sizes)
        resumptions += 1
    assert resumptions > 5


@pytest.mark.parametrize("damaged", [False, True])
def test_a_resumed_replay_commits_on_from_an_older_checkpoint(tmp_path, storage, small_blocks, damaged):
    sizes = {"capacity": 20, "slack": 40}
    replay = make_replay(tmp_path, storage, **sizes)
    extend_to(replay, 33)
    replay.commit()
    older = replay.state_dict()
    extend_to(replay, 50)
    replay.commit()
    if damaged:
        with (tmp_path / "action.bin").open("r+b") as file:
            file.seek(40 * 8)
            file.write(b"\xff")
    back = resumed(tmp_path, storage, older, **sizes)
    for written in (34, 60, 99):
        extend_to(back, written)
        back.commit()
        assert_exact(resumed(tmp_path, storage, back.state_dict(), **sizes), written)


def test_a_commit_after_more_rows_than_the_files_hold_begins_anew(tmp_path, storage, small_blocks):
    replay = make_replay(tmp_path, storage, capacity=20)
    extend_to(replay, 5)
    replay.commit()
    extend_to(replay, 333, step=50)
    replay.commit()
    assert_exact(resumed(tmp_path, storage, replay.state_dict(), capacity=20), 333)


def test_checkpoints_of_one_storage_can_be_gone_on_with_in_the_other(tmp_path, small_blocks):
    replay = make_replay(tmp_path, "memory")
    for storage, written in (("memmap", 12), ("memory", 40), ("memmap", 55)):
        extend_to(replay, written)
        replay.commit()
        replay = resumed(tmp_path, storage, replay.state_dict())
        assert_exact(replay, written)


def test_a_commit_in_memory_writes_the_new_rows_only(tmp_path, monkeypatch):
    written, real = [], os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: written.append(len(data)) or real(fd, data, at))
    replay = make_replay(tmp_path, capacity=100)
    for rows in (50, 3, 0, 80):
        extend_to(replay, replay.written + rows)
        written.clear()
        replay.commit()
        assert sum(written) == rows * replay.row_bytes


def test_writes_that_come_short_are_gone_on_with(tmp_path, monkeypatch):
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, data[:7], at))
    replay = make_replay(tmp_path)
    extend_to(replay, 13)
    replay.commit()
    assert_exact(resumed(tmp_path, "memory", replay.state_dict()), 13)


def test_rows_can_be_left_behind(tmp_path, storage):
    replay = make_replay(tmp_path, storage)
    extend_to(replay, 3)
    replay.commit()
    back = make_replay(tmp_path, storage, seed=5)
    back.load_state_dict(replay.state_dict(), rows=False)
    assert len(back) == 0
    assert torch.equal(back.state_dict()["generator"], replay.state_dict()["generator"])
    extend_to(back, 12)
    back.commit()
    assert_exact(resumed(tmp_path, storage, back.state_dict()), 12)


def test_memory_makes_no_files_before_a_commit(tmp_path):
    extend_to(make_replay(tmp_path / "replay", keep=False), 20)
    assert not (tmp_path / "replay").exists()


def test_files_that_are_not_to_be_kept_are_replaced_whatever_they_are(tmp_path):
    (tmp_path / "outside").write_text("mine")
    folder = tmp_path / "replay"
    folder.mkdir()
    (folder / "observation.bin").symlink_to(tmp_path / "outside")
    (folder / "action.bin").write_text("short")
    os.mkfifo(folder / "q_in.bin")
    extend_to(make_replay(folder, "memmap", keep=False), 20)
    assert (tmp_path / "outside").read_text() == "mine"
    assert all(path.is_file() and not path.is_symlink() for path in folder.iterdir())


def test_files_hold_capacity_and_slack_in_whole_blocks(tmp_path, storage):
    replay = make_replay(tmp_path, storage, slack=4_000)
    replay.commit()
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes == {column.name + ".bin": 2 * 4096 * column.row_bytes for column in COLUMNS}


def test_disk_space_is_claimed_ahead_of_the_writer_and_not_beyond_the_ring(tmp_path, monkeypatch, small_blocks):
    claimed, real = [], os.posix_fallocate
    monkeypatch.setattr(os, "posix_fallocate", lambda fd, *range_: claimed.append(range_) or real(fd, *range_))
    replay = make_replay(tmp_path, "memmap", slack=6)
    ends = []
    for written in range(2, 40, 6):
        extend_to(replay, written, step=6)
        ends.append(max((offset + length for offset, length in claimed), default=0) // COLUMNS[5].row_bytes)
    assert COLUMNS[5].key == Q_IN  # the widest column
    assert ends == [8, 8, 16, 24, 24, 24, 24]
