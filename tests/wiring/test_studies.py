import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from qtrl.errors import RunFolderError
from qtrl.wiring.finished import finished_metric

ROOT = Path(__file__).parents[2]
STUDY = ("-m", "experiment=study/pendulum", "debug=smoke", "logger=csv")
SHORT = ("total_env_steps=60", "warmup_env_steps=50", "callbacks.test_max_episode_steps=5")


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        timeless = ("time/", "quantum/seconds")
        return [{k: v for k, v in row.items() if not k.startswith(timeless)} for row in csv.DictReader(file)]


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_same_command_again_makes_what_is_missing_and_nothing_else(train, tmp_path, capsys):
    study = (*STUDY, *SHORT, "launcher=basic", f"paths.runs={tmp_path}", "block=zeros,fc", "seed=0")
    assert train(*study) == 0
    zeros, fc = (tmp_path / "study" / "pendulum" / label / "seed0" for label in ("zeros", "fc"))
    assert [json.loads((run / "summary.json").read_text())["label"] for run in (zeros, fc)] == ["zeros", "fc"]
    before, made = stamps(zeros), rows(fc)
    shutil.rmtree(fc)
    capsys.readouterr()
    assert train(*study) == 0
    assert stamps(zeros) == before
    assert f"{zeros} is complete: test/return_mean" in capsys.readouterr().out
    assert rows(fc) == made


def test_runs_side_by_side_equal_the_same_runs_by_themselves(train, tmp_path):
    command = [sys.executable, "-m", "qtrl.train", *STUDY, *SHORT, "block=fc", "control=td3,bernoulli", "seed=1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, f"paths.runs={tmp_path}"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    alone = ("experiment=study/pendulum", "debug=smoke", "logger=csv", *SHORT, "control=bernoulli", "seed=1")
    assert train(*alone, f"run_dir={tmp_path / 'alone'}") == 0
    beside = tmp_path / "study" / "pendulum" / "bernoulli" / "seed1"
    assert rows(beside) == rows(tmp_path / "alone")
    assert (beside.parents[1] / "td3" / "seed1" / "summary.json").exists()


@pytest.fixture
def finished(compose, tmp_path):
    cfg = compose("experiment=study/pendulum", f"run_dir={tmp_path}")

    def given(summary):
        text = summary if isinstance(summary, str) else json.dumps(summary)
        (tmp_path / "summary.json").write_text(text)
        return finished_metric(cfg)

    return given


COMPLETE = {"status": "complete", "env_steps": 20_000, "return_mean": -120.5, "best_return_mean": -99.0}


def test_a_complete_run_gives_its_metric(finished):
    assert finished(COMPLETE) == -120.5


@pytest.mark.parametrize("changed", [{"status": "DivergenceError: x"}, {"env_steps": 19_999}])
def test_a_run_with_something_left_to_do_goes_on(finished, changed):
    assert finished(COMPLETE | changed) is None


def test_a_run_without_a_summary_goes_on(compose, tmp_path):
    assert finished_metric(compose("experiment=study/pendulum", f"run_dir={tmp_path}")) is None


@pytest.mark.parametrize("summary", ["{", "[" * 10**5, COMPLETE | {"return_mean": None}, COMPLETE | {"env_steps": "x"}])
def test_a_damaged_summary_is_named(finished, summary):
    with pytest.raises(RunFolderError, match=r"summary\.json.* remove it"):
        finished(summary)
