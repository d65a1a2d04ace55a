import errno
import os

import pytest
import torch
from tensordict import TensorDict

from qtrl.data import STORAGES, Replay, transition_columns
from qtrl.errors import ConfigError, RunFolderError
from qtrl.keys import ACTION, NEXT_OBSERVATION, OBSERVATION, Q_IN, Q_OUT, REWARD, TERMINATED
from qtrl.specs import EnvSpec

COLUMNS = transition_columns(EnvSpec("toy", 3, 2), n_in=4, n_out=1)
KEYS = [column.key for column in COLUMNS]


def make_replay(folder, storage="memory", *, capacity=10, batch_size=64, seed=0):
    return Replay(COLUMNS, capacity=capacity, batch_size=batch_size, storage=storage, folder=folder, seed=seed)


def make_rows(first, count):
    """Row i holds i everywhere, and is terminal where i is odd."""
    number = torch.arange(first, first + count, dtype=torch.float32)
    rows = TensorDict(batch_size=[count])
    for column in COLUMNS:
        rows[column.key] = number[:, None].expand(count, *column.shape).to(column.dtype)
    rows[TERMINATED] = (number[:, None] % 2).bool()
    rows["truncated_and_other_keys"] = torch.ones(count, 1)
    return rows


def numbers(rows):
    return rows[OBSERVATION][:, 0].int().tolist()


def held(replay):
    return {number for _ in range(50) for number in numbers(replay.sample())}


@pytest.fixture(params=STORAGES)
def storage(request):
    return request.param


def test_a_minibatch_has_the_columns_of_a_transition_and_no_others(tmp_path, storage):
    replay = make_replay(tmp_path, storage)
    replay.extend(make_rows(0, 3))
    rows = replay.sample()
    assert rows.batch_size == (64,)
    assert "truncated_and_other_keys" not in set(rows.keys())
    sizes = {OBSERVATION: 3, ACTION: 2, REWARD: 1, NEXT_OBSERVATION: 3, TERMINATED: 1, Q_IN: 4, Q_OUT: 1}
    for key, size in sizes.items():
        assert rows[key].shape == (64, size)
        assert rows[key].dtype == (torch.bool if key == TERMINATED else torch.float32)


def test_rows_for_others_are_drawn_evenly_and_unnoticed(tmp_path, storage):
    replay, untouched = (make_replay(tmp_path / str(i), storage) for i in range(2))
    for one in (replay, untouched):
        one.extend(make_rows(0, 4))
    generator = torch.Generator().manual_seed(0)
    drawn = torch.tensor(numbers(replay.draw(4000, generator)))
    assert (drawn.bincount() - 1000).abs().max() < 5 * (4000 * 0.25 * 0.75) ** 0.5  # five standard deviations
    assert numbers(replay.sample()) == numbers(untouched.sample())


def test_rows_stay_together(tmp_path, storage):
    replay = make_replay(tmp_path, storage)
    for first in range(0, 21, 3):
        replay.extend(make_rows(first, 3))
    rows = replay.sample()
    for key in KEYS:
        if key != TERMINATED:
            assert (rows[key] == rows[OBSERVATION][:, :1]).all()
    assert torch.equal(rows[TERMINATED][:, 0], rows[OBSERVATION][:, 0] % 2 == 1)


@pytest.mark.parametrize("step", [1, 3, 4])
def test_the_oldest_row_is_overwritten_first(tmp_path, storage, step):
    replay = make_replay(tmp_path, storage)
    for first in range(0, 8 * step, step):
        replay.extend(make_rows(first, step))
        end = first + step
        assert replay.written == end
        assert len(replay) == min(end, 10)
        assert held(replay) == set(range(max(0, end - 10), end))


def test_torchrls_buffer_shows_the_same_rows_and_draws_the_same_minibatches(tmp_path, storage):
    replay = make_replay(tmp_path, storage)
    for first in range(0, 35, 5):
        replay.extend(make_rows(first, 5))
        assert len(replay.buffer) == len(replay) == min(first + 5, 10)
        assert replay.buffer.writer.state_dict() == {"_cursor": (first + 5) % 10, "_write_count": first + 5}
        state = replay.state_dict()["sampler"]
        ours = replay.sample()
        replay._generator.set_state(state)
        theirs = replay.buffer.sample()
        assert all(torch.equal(ours[key], theirs[key]) for key in KEYS)
        assert torch.equal(replay.buffer[:][OBSERVATION], replay._ring[: len(replay)][OBSERVATION])


def test_more_rows_at_once_than_the_ring_has_leave_the_newest(tmp_path, storage):
    replay = make_replay(tmp_path, storage)
    replay.extend(make_rows(0, 3))
    replay.extend(make_rows(3, 24))
    assert (replay.written, len(replay)) == (27, 10)
    assert held(replay) == set(range(17, 27))


def test_a_minibatch_is_not_written_again(tmp_path, storage):
    replay = make_replay(tmp_path, storage)
    replay.extend(make_rows(0, 10))
    rows = replay.sample()
    before = rows.clone()
    replay.extend(make_rows(10, 10))
    replay.sample()
    assert all(torch.equal(rows[key], before[key]) for key in KEYS)


def test_every_row_is_equally_likely(tmp_path, storage):
    replay = make_replay(tmp_path, storage, capacity=60, batch_size=1000)
    replay.extend(make_rows(0, 50))
    counts = torch.zeros(50)
    for _ in range(40):
        counts += torch.bincount(torch.tensor(numbers(replay.sample())), minlength=50)
    expected = 40_000 / 50
    assert ((counts - expected) ** 2 / expected).sum() < 85.35  # 99.9 % quantile of chi-square with 49 degrees


def test_rows_of_a_minibatch_are_drawn_with_replacement(tmp_path):
    replay = make_replay(tmp_path)
    replay.extend(make_rows(0, 1))
    assert numbers(replay.sample()) == [0] * 64


def test_a_seed_fixes_the_samples_whatever_the_storage(tmp_path):
    def samples(storage, seed):
        replay = make_replay(tmp_path / f"{storage}{seed}", storage, seed=seed)
        drawn = []
        for first in range(0, 24, 4):
            replay.extend(make_rows(first, 4))
            drawn.append(numbers(replay.sample()))
        return drawn

    assert samples("memory", 0) == samples("memmap", 0)
    assert samples("memory", 0) != samples("memory", 1)


def test_sampling_leaves_the_global_stream_alone(tmp_path):
    replay = make_replay(tmp_path)
    replay.extend(make_rows(0, 5))
    before = torch.get_rng_state()
    replay.sample()
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("written", [0, 7, 10, 23])
def test_a_committed_replay_comes_back_with_its_rows_and_samples(tmp_path, storage, written):
    replay = make_replay(tmp_path, storage)
    for number in range(written):
        replay.extend(make_rows(number, 1))
        replay.sample()
    replay.commit()
    back = make_replay(tmp_path, storage, seed=5)
    back.load_state_dict(replay.state_dict())
    assert (back.written, len(back)) == (written, min(written, 10))
    for number in range(written, written + 15):
        for one in (replay, back):  # mapped, both write the same number into the same place
            one.extend(make_rows(number, 1))
        assert numbers(back.sample()) == numbers(replay.sample())
    assert held(back) == set(range(written + 5, written + 15))


def test_committed_rows_of_the_two_newest_checkpoints_stay(tmp_path):
    replay = make_replay(tmp_path)
    for first in range(0, 12, 3):
        replay.extend(make_rows(first, 3))
        replay.commit()
        replay.commit()  # the same rows again
    assert sorted(path.name for path in tmp_path.iterdir()) == ["12", "9"]
    back = make_replay(tmp_path)
    back.load_state_dict({**replay.state_dict(), "written": 9})
    assert held(back) == set(range(9))


def test_rows_can_be_left_behind(tmp_path):
    replay = make_replay(tmp_path)
    replay.extend(make_rows(0, 3))
    back = make_replay(tmp_path)
    back.load_state_dict(replay.state_dict(), rows=False)
    assert len(back) == 0
    assert torch.equal(back.state_dict()["sampler"], replay.state_dict()["sampler"])


def test_mapped_files_have_the_size_of_the_whole_ring(tmp_path):
    make_replay(tmp_path, "memmap")
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes == {column.name + ".bin": 10 * column.row_bytes for column in COLUMNS}


def test_a_mapped_file_of_another_size_is_refused(tmp_path):
    make_replay(tmp_path, "memmap")
    with pytest.raises(RunFolderError, match=r"\.bin has 120 bytes, expected 132; keep data.capacity"):
        make_replay(tmp_path, "memmap", capacity=11)


@pytest.mark.parametrize("damage", ["short", "missing"])
def test_committed_rows_that_are_incomplete_are_refused(tmp_path, damage):
    replay = make_replay(tmp_path)
    replay.extend(make_rows(0, 3))
    replay.commit()
    path = tmp_path / "3" / "q_in.bin"
    if damage == "short":
        os.truncate(path, 47)
    else:
        path.unlink()
    found = "47" if damage == "short" else "None"
    with pytest.raises(RunFolderError, match=rf"q_in\.bin has {found} bytes, expected 48 for 3 rows"):
        make_replay(tmp_path).load_state_dict(replay.state_dict())


def test_links_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(bytes(120))
    (tmp_path / "replay").mkdir()
    (tmp_path / "replay" / "observation.bin").symlink_to(outside)
    with pytest.raises(RunFolderError, match=r"observation\.bin is a link"):
        make_replay(tmp_path / "replay", "memmap")
    replay = make_replay(tmp_path / "memory")
    replay.extend(make_rows(0, 10))
    replay.commit()
    path = tmp_path / "memory" / "10" / "observation.bin"
    path.unlink()
    path.symlink_to(outside)
    with pytest.raises(RunFolderError, match=r"observation\.bin has None bytes"):
        make_replay(tmp_path / "memory").load_state_dict(replay.state_dict())


def test_a_full_disk_is_an_error_and_no_crash(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    replay = make_replay(tmp_path, "memmap")
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(RunFolderError, match=r"No space left on device; free space or set data\.capacity lower"):
        replay.extend(make_rows(0, 1))


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="choose another run_dir"):
        make_replay(tmp_path / "file" / "replay", "memmap")


def test_disk_space_is_claimed_ahead_of_the_writer_and_not_beyond_the_ring(tmp_path, monkeypatch):
    claimed, real = [], os.posix_fallocate
    monkeypatch.setattr("qtrl.data.files.RESERVE_ROWS", 4)
    monkeypatch.setattr(os, "posix_fallocate", lambda fd, *range_: claimed.append(range_) or real(fd, *range_))
    replay = make_replay(tmp_path, "memmap")
    ends = []
    for first in range(0, 14, 2):
        replay.extend(make_rows(first, 2))
        ends.append(max((offset + length for offset, length in claimed), default=0) // COLUMNS[5].row_bytes)
    assert COLUMNS[5].key == Q_IN  # the widest column
    assert ends == [4, 4, 8, 8, 10, 10, 10]


@pytest.mark.parametrize("sizes", [{"capacity": 0}, {"batch_size": 0}, {"capacity": -3}])
def test_sizes_below_one_are_refused(tmp_path, sizes):
    with pytest.raises(ConfigError, match="must be at least 1"):
        make_replay(tmp_path, **sizes)


def test_an_unknown_storage_is_refused_with_the_choices(tmp_path):
    with pytest.raises(ConfigError, match=r"data\.storage='tape' is unknown; choose one of memory, memmap"):
        make_replay(tmp_path, "tape")


def test_a_million_humanoid_rows_take_less_than_six_gigabytes(tmp_path):
    columns = transition_columns(EnvSpec("Humanoid-v4", 376, 17), n_in=220, n_out=10)
    replay = Replay(columns, capacity=1, batch_size=1, storage="memory", folder=tmp_path, seed=0)
    assert replay.row_bytes == 4 * (376 + 17 + 1 + 376 + 220 + 10) + 1
    assert replay.row_bytes * 1_000_000 < 6e9
