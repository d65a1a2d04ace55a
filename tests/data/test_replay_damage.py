import os
import random
import shutil

import pytest
import torch
from numbered_rows import COLUMNS, assert_exact, make_replay, make_rows

from qtrl.errors import CheckpointError, RunFolderError

WRITTEN, SIZES = 70, {"capacity": 30, "slack": 20}  # files of 64 rows: the first 6 are overwritten


@pytest.fixture
def saved(tmp_path, small_blocks):
    """A folder and the state of the checkpoint beside it."""
    folder = tmp_path / "replay"
    replay = make_replay(folder, **SIZES)
    replay.extend(make_rows(0, WRITTEN - 9))
    replay.commit()
    replay.extend(make_rows(WRITTEN - 9, 9))
    replay.commit()
    return folder, replay.state_dict()


def resume(folder, storage, state):
    back = make_replay(folder, storage, **SIZES)
    back.load_state_dict(state)
    return back


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and not path.is_symlink()}


def flip(path, bit):
    with path.open("r+b") as file:
        file.seek(bit // 8)
        (byte,) = file.read(1)
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))


def places(rows):
    return [row % 64 for row in rows]


def test_every_flipped_bit_of_a_row_that_may_be_sampled_is_noticed(saved, storage):
    folder, state = saved
    chance = random.Random(0)
    for _ in range(100):
        column = chance.choice(COLUMNS)
        row = chance.randrange(WRITTEN - 30, WRITTEN)
        bit = (row % 64) * column.row_bytes * 8 + chance.randrange(column.row_bytes * 8)
        path = folder / f"{column.name}.bin"
        flip(path, bit)
        first = row - row % 8
        expected = f"{column.name}.bin: rows {first} to {min(first + 8, WRITTEN) - 1} are damaged; checkpoint_replay="
        with pytest.raises(RunFolderError, match=expected):
            resume(folder, storage, state)
        flip(path, bit)
    assert_exact(resume(folder, storage, state), WRITTEN)


def test_flips_elsewhere_do_not_matter(saved, storage):
    folder, state = saved
    rows = range(WRITTEN, WRITTEN + 24)  # up to the block of the oldest row that may be sampled
    for column in COLUMNS:
        for place in places(rows):
            flip(folder / f"{column.name}.bin", place * column.row_bytes * 8 + 3)
    assert_exact(resume(folder, storage, state), WRITTEN)


def test_every_cut_and_growth_is_noticed_and_changes_nothing(saved, storage):
    folder, state = saved
    chance = random.Random(1)
    for _ in range(50):
        column = chance.choice(COLUMNS)
        path = folder / f"{column.name}.bin"
        whole, size = path.read_bytes(), 64 * column.row_bytes
        cut = chance.choice([0, size - 1, size + 1, 2 * size, chance.randrange(size)])
        os.truncate(path, cut)
        before = contents(folder)
        with pytest.raises(RunFolderError, match=f"has {cut} bytes, expected {size}; keep data.capacity"):
            resume(folder, storage, state)
        assert contents(folder) == before
        path.write_bytes(whole)
    assert_exact(resume(folder, storage, state), WRITTEN)


def test_a_missing_file_is_noticed(saved, storage):
    folder, state = saved
    (folder / "q_in.bin").unlink()
    with pytest.raises(RunFolderError, match=r"q_in\.bin(: rows 40 to 47 are damaged| is missing); checkpoint_replay="):
        resume(folder, storage, state)


def plant_link(path, outside):
    path.symlink_to(outside)


def plant_dangling_link(path, outside):
    path.symlink_to(outside.with_name("nowhere"))


def plant_pipe(path, outside):
    os.mkfifo(path)


def plant_folder(path, outside):
    path.mkdir()


@pytest.mark.parametrize("plant", [plant_link, plant_dangling_link, plant_pipe, plant_folder])
def test_only_regular_files_are_opened(saved, storage, plant, tmp_path):
    folder, state = saved
    path, outside = folder / "observation.bin", tmp_path / "outside"
    shutil.copy(path, outside)
    path.unlink()
    plant(path, outside)
    before = contents(folder), contents(tmp_path)
    with pytest.raises(RunFolderError, match=r"observation\.bin is (a link|not a regular file|a directory)|Is a dir"):
        resume(folder, storage, state)
    assert (contents(folder), contents(tmp_path)) == before


def test_a_linked_folder_is_not_followed(saved, storage, tmp_path):
    folder, state = saved
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(RunFolderError, match="link is a link"):
        resume(tmp_path / "link", storage, state)


def test_a_truth_value_that_is_none_is_refused_even_with_its_checksum(saved, storage, monkeypatch):
    folder, _ = saved
    stranger = make_replay(folder, "memmap", **SIZES)
    stranger.extend(make_rows(0, WRITTEN))
    stranger.buffer.storage.tensors["next", "terminated"].view(torch.uint8)[places([50])] = 2
    stranger.commit()
    with pytest.raises(RunFolderError, match=r"next\.terminated\.bin: rows 48 to 55 are damaged"):
        resume(folder, storage, stranger.state_dict())


MALFORMED = {
    "negative": ("written", -1),
    "a fraction": ("written", 70.0),
    "a truth value": ("written", True),
    "text": ("written", "70"),
    "too large": ("written", 2**53 + 1),
    "more rows than were saved": ("written", 71),
    "checksums of other rows": ("first", 39),
    "checksums of rows overwritten": ("first", 0),
    "checksums of rows not sampled yet": ("first", 41),
    "rows that were not committed": ("committed", 61),
    "no checksums": ("checksums", None),
    "checksums as floats": ("checksums", torch.zeros(4, 7)),
    "too few checksums": ("checksums", torch.zeros(3, 7, dtype=torch.int64)),
    "checksums of another row": ("checksums", torch.zeros(4, 8, dtype=torch.int64)),
    "a sampler of another kind": ("sampler", {"priorities": torch.ones(30)}),
    "no sampler": ("sampler", None),
    "no random state": ("generator", None),
    "a random state of another size": ("generator", torch.zeros(100, dtype=torch.uint8)),
    "a random state of another type": ("generator", torch.zeros(5056)),
    "a random state of zeros": ("generator", torch.full((5056,), 255, dtype=torch.uint8)),
}


@pytest.mark.parametrize("case", MALFORMED)
@pytest.mark.parametrize("missing", [False, True])
def test_a_malformed_state_is_refused_in_one_line(saved, storage, case, missing):
    folder, state = saved
    key, value = MALFORMED[case]
    before = contents(folder)
    hostile = {**state, key: value}
    if missing:
        del hostile[key]
    with pytest.raises((CheckpointError, RunFolderError)) as caught:
        resume(folder, storage, hostile)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("replay")
    assert contents(folder) == before


def test_a_state_before_the_last_commit_asks_for_its_rows(saved, storage):
    folder, _ = saved
    replay = make_replay(folder, storage, **SIZES)
    replay.extend(make_rows(0, 5))
    with pytest.raises(CheckpointError, match="replay of 5 rows was saved with 0 of them; checkpoint_replay=none"):
        resume(folder, storage, replay.state_dict())


def test_files_of_another_capacity_are_refused(tmp_path, storage):
    make_replay(tmp_path, storage).commit()
    with pytest.raises(RunFolderError, match=r"\.bin has 98304 bytes, expected 147456; keep data\.capacity, num_envs"):
        make_replay(tmp_path, storage, capacity=5000).commit()
