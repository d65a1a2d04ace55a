import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qtrl.errors import RunFolderError
from qtrl.run.result import finished_metric

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
    jobs = ("sweep=controls", "control=td3,bernoulli", "seed=1")
    command = [sys.executable, "-m", "qtrl.train", *STUDY, *SHORT, *jobs]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, f"paths.runs={tmp_path}"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    alone = ("experiment=study/pendulum", "debug=smoke", "logger=csv", *SHORT, "control=bernoulli", "seed=1")
    assert train(*alone, f"run_dir={tmp_path / 'alone'}") == 0
    beside = tmp_path / "study" / "pendulum" / "bernoulli" / "seed1"
    assert rows(beside) == rows(tmp_path / "alone")
    assert (beside.parents[1] / "td3" / "seed1" / "summary.json").exists()


@pytest.mark.parametrize(
    ("control", "override"), [("fixed_angles", "block=fc"), ("no_entangler", "circuit=fixed_angles")]
)
def test_a_control_that_another_override_undoes_is_refused(train, tmp_path, capsys, control, override):
    run = ("experiment=pendulum_pqc", "debug=smoke", f"control={control}", override, f"run_dir={tmp_path / 'run'}")
    assert train(*run) == 2
    assert capsys.readouterr().err == (
        f"qtrl: {override} undoes what control={control} chooses: leave out one of them; "
        "in a study controls go with sweep=controls\n"
    )


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


def test_jobs_that_fail_are_all_named_and_the_others_end(train, tmp_path, capsys):
    study = (*STUDY, *SHORT, "launcher=basic", f"paths.runs={tmp_path}", "block=zeros", "seed=0,1,2")
    for seed in (0, 1):
        folder = tmp_path / "study" / "pendulum" / "zeros" / f"seed{seed}"
        folder.mkdir(parents=True)
        (folder / "notes.txt").write_text("in the way")
    assert train(*study) == 2
    *_, first, second, last = capsys.readouterr().err.splitlines()
    for seed, line in enumerate((first, second)):
        assert line.startswith(f"qtrl: {tmp_path}/study/pendulum/zeros/seed{seed}: run_dir=")
    assert last.startswith("qtrl: 2 jobs failed, the others ended; ")
    assert (tmp_path / "study" / "pendulum" / "zeros" / "seed2" / "summary.json").exists()


def test_jobs_save_and_stop_when_the_command_is_killed(tmp_path):
    long = ("total_env_steps=100000", "warmup_env_steps=50", "debug=smoke", "logger=csv", "block=zeros", "seed=0,1")
    command = [sys.executable, "-m", "qtrl.train", "-m", "experiment=study/pendulum", *long, f"paths.runs={tmp_path}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    runs = [tmp_path / "study" / "pendulum" / "zeros" / f"seed{seed}" for seed in (0, 1)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: all((run / "checkpoints" / "last.ckpt").exists() for run in runs))
        process.kill()
    wait_for(lambda: all("SIGTERM" in status(run) for run in runs))


def status(run):
    path = run / "summary.json"
    return json.loads(path.read_text())["status"] if path.exists() else ""


def wait_for(there, seconds=120):
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)
