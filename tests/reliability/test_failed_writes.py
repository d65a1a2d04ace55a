"""Every call to the disk of a save fails in turn, or ends the process: what is left is the old state or the new one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from faults import Faults, injected
from numbered_saves import PIECE, STORAGES, Saves

from qtrl.errors import CheckpointError, RunFolderError

ALL_OR_SOME = pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 16])
"""In the quick tests every 16th call of a save fails."""
SCRIPT = Path(__file__).with_name("numbered_saves.py")


@ALL_OR_SOME
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("storage", STORAGES)
def test_a_save_that_fails_at_any_call_keeps_the_one_before(tmp_path, storage, lasting, every):
    saves, at, met = Saves(tmp_path, storage), 1 - every, True
    saves.extend()
    saves.save()
    while met:
        at, before, old = at + every, saves.replay.written, saves.path.read_bytes()
        saves.extend()
        with injected(Faults(tmp_path, at, lasting=lasting)) as faults:
            kept = fails(saves)
        met = faults.met
        left = Saves(tmp_path, storage).load()
        assert left in (before, before + PIECE)
        assert kept or left == before + PIECE
        assert (saves.path.read_bytes() == old) == (left == before)
        assert not list(saves.path.parent.glob("*.part"))
        saves.save()  # once there is space again
        assert Saves(tmp_path, storage).load() == before + PIECE
    assert at > 30, faults.calls
    print(f"{at // every} failed calls")


def fails(saves):
    """Try to save; tell whether that ended in an error of one line."""
    try:
        saves.save()
    except (CheckpointError, RunFolderError) as error:
        assert "\n" not in str(error)
        assert any(words in str(error) for words in ("No space left on device", "checkpoint is kept"))
        return True
    return False


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 64])
def test_a_process_that_ends_at_any_call_leaves_the_old_state_or_the_new_one(every):
    environment = os.environ | {"PYTHONPATH": str(SCRIPT.parents[2]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, SCRIPT, str(every)], env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert {"file.write", "fsync", "replace", "link"} <= counts["calls"].keys()
    assert counts["ends"]["kept"] > 200 / every
    assert counts["ends"]["new"] > 0 or every > 1  # few calls follow the one that brings the new state
    print(counts)
