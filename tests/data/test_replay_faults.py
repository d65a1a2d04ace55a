import errno
import os
from pathlib import Path

import pytest
import torch
from numbered_rows import assert_exact, make_replay, make_rows

from qtrl.errors import RunFolderError

SIZES = {"capacity": 30, "slack": 24}
CALLS = ("open", "ftruncate", "replace", "posix_fallocate", "pwrite", "fsync")


pytestmark = pytest.mark.usefixtures("small_blocks")


class Calls:
    """Stands before every call to the operating system, counts, and strikes at one of them."""

    def __init__(self, patch, strike, at=None, copies=False):
        self.count, self._strike, self._at = 0, strike, at
        for name in CALLS:
            patch.setattr(os, name, self._counted(getattr(os, name)))
        if copies:
            patch.setattr(torch.Tensor, "copy_", self._counted(torch.Tensor.copy_))

    def _counted(self, call):
        def counted(*args, **kwargs):
            self.count += 1
            if self.count == self._at:
                self._strike()
            return call(*args, **kwargs)

        return counted


def disk_full():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def end():
    os._exit(9)


def collect_and_commit(replay, written, step=4):
    while replay.written < written:
        replay.extend(make_rows(replay.written, min(step, written - replay.written)))
    replay.commit()


def saved_twice(folder, storage, last):
    """A replay and the states of the two checkpoints beside it, the last after so many rows."""
    replay, states = make_replay(folder, storage, **SIZES), []
    for written in (max(0, last - 12), last):
        collect_and_commit(replay, written, step=12)
        states.append(replay.state_dict())
    return replay, states


def assert_all_load(folder, storage, states):
    for state in states:
        back = make_replay(folder, storage, **SIZES)
        back.load_state_dict(state)
        assert_exact(back, state["written"])


def calls_of_a_save(folder, storage, last, **more):
    replay, _ = saved_twice(folder, storage, last)
    with pytest.MonkeyPatch.context() as patch:
        calls = Calls(patch, end, **more)
        collect_and_commit(replay, last + 12)
        return calls.count


@pytest.mark.parametrize("last", [0, 12, 72], ids=["at the start", "while space is claimed", "after wrapping"])
def test_a_call_that_fails_leaves_both_checkpoints_and_can_be_tried_again(tmp_path, storage, last):
    count = calls_of_a_save(tmp_path / "count", storage, last)
    assert count >= 2 * (7 + 2)  # at least: open and sync seven files and two folders
    for at in range(1, count + 1):
        folder = tmp_path / str(at)
        replay, states = saved_twice(folder, storage, last)
        with pytest.MonkeyPatch.context() as patch:
            Calls(patch, disk_full, at)
            with pytest.raises(RunFolderError, match="free space or set data.capacity lower|choose another run_dir"):
                collect_and_commit(replay, last + 12)
        assert_all_load(folder, storage, states)
        collect_and_commit(replay, last + 12)
        assert_all_load(folder, storage, [states[1], replay.state_dict()])


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 3])
@pytest.mark.parametrize("last", [0, 72], ids=["at the start", "after wrapping"])
def test_an_end_at_any_call_leaves_both_checkpoints(tmp_path, storage, last, every):
    count = calls_of_a_save(tmp_path / "count", storage, last, copies=True)
    replay, states = saved_twice(tmp_path / "run", storage, last)
    assert count > 20
    for at in range(1, count + 1, every):
        child = os.fork()
        if child == 0:
            with pytest.MonkeyPatch.context() as patch:
                Calls(patch, end, at, copies=True)
                collect_and_commit(replay, last + 12)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        assert_all_load(tmp_path / "run", storage, states)


def test_the_files_are_on_the_disk_before_a_commit_returns(tmp_path, storage, monkeypatch):
    synced, real = set(), os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda file: synced.add(str(Path(f"/proc/self/fd/{file}").readlink())) or real(file)
    )
    replay = make_replay(tmp_path / "replay", storage, **SIZES)
    replay.extend(make_rows(0, 3))
    replay.commit()
    expected = {str(path) for path in (tmp_path / "replay").iterdir()}
    assert len(expected) == 7
    assert synced == {*expected, str(tmp_path / "replay"), str(tmp_path)}


def test_a_full_disk_is_an_error_and_no_crash(tmp_path, monkeypatch):
    replay = make_replay(tmp_path, "memmap")
    monkeypatch.setattr(os, "posix_fallocate", lambda *args: disk_full())
    with pytest.raises(RunFolderError, match=r"No space left on device; free space or set data\.capacity lower"):
        replay.extend(make_rows(0, 1))


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="choose another run_dir"):
        make_replay(tmp_path / "file" / "replay", "memmap")
