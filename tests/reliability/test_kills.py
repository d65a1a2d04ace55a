"""kill -9 at any moment, and an end at every single call to the disk: the run goes on as if nothing had happened."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from comparing import differences, digests
from forked_runs import ForkedRuns

from qtrl.files.checkpoint import read_checkpoint

EVERY = 2
SAVING = (
    "experiment=pendulum_pqc",
    "num_threads=1",
    f"checkpoint_every_env_steps={EVERY}",
    "callbacks.log_every_env_steps=1",
    "data.storage=memmap",
)
RAM = Path("/dev/shm")


def steps_logged(folder):
    path = folder / "metrics.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return int(rows[-1]["env_steps"]) if rows and rows[-1]["env_steps"] else 0


def check_what_is_left(folder, seen):
    """A checkpoint that loads, not older than the one seen before, nor than one interval before the last row."""
    path = folder / "checkpoints" / "last.ckpt"
    if not path.exists():
        assert seen == 0
        return 0
    env_steps = read_checkpoint(path)["env_steps"]
    assert env_steps >= seen
    if (folder / "metrics.csv").exists():
        assert steps_logged(folder) - env_steps <= EVERY
    return env_steps


def killed_until_done(runs, arguments, folder, moments):
    """Start and kill the run at each moment, lines of metrics and seconds, then let it end; return how often."""
    kills, seen = 0, 0
    for lines, seconds in moments:
        kill = (lines, seconds, signal.SIGKILL, False)
        status = runs(*arguments, f"run_dir={folder}", "resume=auto", signals=[kill])
        assert status in (0, -signal.SIGKILL), runs.said()
        assert runs.left_behind == 0
        if status == 0:
            break
        kills += 1
        seen = check_what_is_left(folder, seen)
    assert runs(*arguments, f"run_dir={folder}", "resume=auto") == 0, runs.said()
    return kills


def test_a_run_killed_again_and_again_ends_as_one_that_was_not(runs, whole, small, tmp_path):
    moments = [(20, 0.001), (50, 0.004)]
    assert killed_until_done(runs, (*small, *SAVING), tmp_path / "run", moments) == 2
    assert differences(digests(tmp_path / "run"), whole(*SAVING)) == []


@pytest.mark.slow
def test_30_kills_at_random_moments(runs, whole, small, tmp_path):
    draw, kills, folders = random.Random(6), 0, 0
    while kills < 30:
        early = [(0, draw.uniform(0, 2))]  # while it starts, or warms up
        moments = early + [(lines, draw.uniform(0, 0.03)) for lines in sorted(draw.sample(range(1, 60), 6))]
        folder = tmp_path / f"run{folders}"
        kills += killed_until_done(runs, (*small, *SAVING), folder, moments)
        assert differences(digests(folder), whole(*SAVING)) == []
        folders += 1
    print(f"{kills} kills in {folders} runs")


@pytest.mark.slow
def test_an_end_at_counted_calls_to_the_disk(runs, whole, small, tmp_path):
    short = (*SAVING, "total_env_steps=24", "checkpoint_every_env_steps=8")
    expected, at, ends = whole(*short), 1, 0
    while True:
        folder = tmp_path / f"run{at}"
        status = runs(*small, *short, f"run_dir={folder}", "resume=auto", fault=at)
        if status == 0:
            break
        assert status == 99, runs.said()
        assert runs(*small, *short, f"run_dir={folder}", "resume=auto") == 0, (at, runs.said())
        assert differences(digests(folder), expected) == [], at
        at, ends = at + (1 if at < 24 else 53), ends + 1
    assert ends > 30
    print(f"{ends} ends at calls 1 to {at}")


@pytest.mark.slow
@pytest.mark.skipif(not os.access(RAM, os.W_OK), reason="no second file system to write to")
def test_a_temporary_folder_on_another_file_system_does_not_matter(whole, small, tmp_path):
    with tempfile.TemporaryDirectory(dir=RAM) as other, ForkedRuns(tmp_path, {"TMPDIR": other}) as runs:
        assert killed_until_done(runs, (*small, *SAVING), tmp_path / "run", [(20, 0.002)]) == 1
        assert [path.name for path in Path(other).rglob("*.ckpt*")] == []
    assert differences(digests(tmp_path / "run"), whole(*SAVING)) == []


@pytest.mark.slow
def test_a_new_process_goes_on_after_kill_9_of_one_with_workers(small, tmp_path):
    """The whole way, without forks: the interpreter started anew each time, environments in spawned processes."""
    workers = ("num_envs=2", "env.vector=processes", "env.workers=2")
    command = [sys.executable, "-m", "qtrl.train", *small, *SAVING, *workers, "resume=auto"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    with ForkedRuns(tmp_path) as runs:
        assert runs(*small, *SAVING, *workers, f"run_dir={tmp_path / 'whole'}") == 0, runs.said()
        folder = tmp_path / "run"
        assert runs(*command[3:], f"run_dir={folder}", signals=[(20, 0.0, signal.SIGKILL, False)]) == -signal.SIGKILL
        assert runs.left_behind == 0
    ended = subprocess.run([*command, f"run_dir={folder}"], cwd=tmp_path, env=environment, capture_output=True)
    assert ended.returncode == 0, ended.stderr
    assert json.loads((folder / "summary.json").read_text())["status"] == "complete"
    assert differences(digests(folder), digests(tmp_path / "whole")) == []
