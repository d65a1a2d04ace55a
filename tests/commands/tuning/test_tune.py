import csv
import functools
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from hydra import compose, initialize_config_dir

from qtrl.commands.tuning import jobs, trial_process
from qtrl.commands.tuning import tune as tuning
from qtrl.config.location import config_dir
from qtrl.errors import RunFolderError
from qtrl.process.stopping import Interruption
from qtrl.run.lock import locked

ROOT = Path(__file__).parents[3]
SPACE = ("~space", "+space.algo.tau={type: float, low: 0.001, high: 0.1, log: true}")
MORE = (
    "+space.algo.policy_delay={type: int, low: 1, high: 4}",
    "+space.block={type: categorical, choices: [zeros, fc]}",
)
"""With these a search composes eight configs, the corners of its space, before it begins."""


class Trainings:
    """Stands in for the processes: a run's return is highest at tau = 0.01; what was asked for is remembered."""

    def __init__(self):
        self.asked, self.outcomes, self.one_at_a_time = [], {}, threading.Lock()

    def __call__(self, overrides, log):
        keys = dict(override.split("=", 1) for override in overrides)
        training = lambda: self.run(keys, log)  # noqa: E731
        training.stop = lambda number: None
        return training

    def run(self, keys, log):
        with self.one_at_a_time:
            self.asked.append(keys)
            outcome = self.outcomes.get(len(self.asked))
        if isinstance(outcome, BaseException):
            raise outcome
        if outcome is None:
            value = -abs(math.log10(float(keys["algo.tau"])) + 2) - float(keys["seed"])
            folder = Path(keys["run_dir"].strip("'"))
            folder.mkdir(parents=True)
            summary = {"status": "complete", "env_steps": 100, "return_mean": value, "best_return_mean": value + 1}
            (folder / "summary.json").write_text(json.dumps(summary))
        return outcome

    def settings(self):
        return [keys["algo.tau"] for keys in self.asked]


@functools.cache
def composed(name, overrides):
    return compose(name, overrides=list(overrides))


@pytest.fixture
def trainings(monkeypatch):
    """What is composed again and again in these tests is composed once."""
    monkeypatch.setattr(tuning, "compose", lambda name, overrides: composed(name, tuple(overrides)))
    fake = Trainings()
    monkeypatch.setattr(jobs, "Training", fake)
    return fake


@pytest.fixture
def tune(search, tmp_path):
    arguments = ["experiment=pendulum_zeros", *SPACE]
    return lambda *more, folder=tmp_path / "search": search(*arguments, f"folder={folder}", *more)


def rows(folder):
    with (folder / "trials.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_search_tries_settings_within_the_space_and_leaves_a_table_and_the_best(tune, trainings, tmp_path, capsys):
    assert tune(*MORE, "trials=6", "algo.gamma=0.9") == 0
    table = rows(tmp_path / "search")
    assert [(row["trial"], row["state"]) for row in table] == [(str(number), "complete") for number in range(6)]
    assert all(0.001 <= float(row["algo.tau"]) <= 0.1 and int(row["algo.policy_delay"]) in range(1, 5) for row in table)
    assert {row["block"] for row in table} == {"zeros", "fc"}
    assert len({row["algo.tau"] for row in table}) == 6
    for row, keys in zip(table, trainings.asked, strict=True):
        assert (row["algo.tau"], row["block"]) == (keys["algo.tau"], keys["block"])
        assert (keys["experiment"], keys["algo.gamma"], keys["seed"]) == ("pendulum_zeros", "0.9", "0")
        assert keys["resume"] == "auto"
        assert keys["run_dir"].strip("'") == str(tmp_path / "search" / f"trial{row['trial']}" / "seed0")
    best = max(table, key=lambda row: float(row["value"]))
    said = capsys.readouterr().out.splitlines()
    assert f"best: trial {best['trial']} of 6, test/return_mean" in said[-2]
    assert said[-1].endswith(
        f"algo.tau={best['algo.tau']} algo.policy_delay={best['algo.policy_delay']} block={best['block']}"
    )


def test_the_best_setting_is_a_config_to_lay_over_an_experiment(tune, trainings, tmp_path):
    assert tune(*MORE, "trials=2") == 0
    best = max(rows(tmp_path / "search"), key=lambda row: float(row["value"]))
    (tmp_path / "mine" / "tuned").mkdir(parents=True)
    (tmp_path / "search" / "best.yaml").rename(tmp_path / "mine" / "tuned" / "best.yaml")
    overrides = ["experiment=pendulum_pqc", "+tuned=best", f"hydra.searchpath=[file://{tmp_path / 'mine'}]"]
    with initialize_config_dir(config_dir(), version_base="1.3"):
        cfg = compose("train", overrides=overrides)
        assert cfg.block == compose("train", overrides=[f"block={best['block']}", "experiment=pendulum_pqc"]).block
    assert cfg.algo.tau == float(best["algo.tau"])
    assert cfg.algo.policy_delay == int(best["algo.policy_delay"])
    assert yaml.safe_load((tmp_path / "mine" / "tuned" / "best.yaml").read_text())["defaults"]


@pytest.mark.parametrize("trials", [4, pytest.param(14, marks=pytest.mark.slow)])
def test_an_interrupted_search_goes_on_as_if_it_had_not_been(tune, trainings, tmp_path, capsys, trials):
    """The sampler learns from the trials before once there are ten of them."""
    assert tune(f"trials={trials}", folder=tmp_path / "whole") == 0
    whole, trainings.asked = trainings.settings(), []
    trainings.outcomes[3] = Interruption(signal.SIGTERM)
    assert tune(f"trials={trials}") == 143
    assert "stopped by SIGTERM in trial 2; the same command goes on with it" in capsys.readouterr().out
    assert [row["state"] for row in rows(tmp_path / "search")] == [*["complete"] * 2, "running"]
    assert tune(f"trials={trials}") == 0
    settings = trainings.settings()
    assert settings[2] == settings[3]
    assert [*settings[:3], *settings[4:]] == whole
    assert (tmp_path / "search" / "trials.csv").read_text() == (tmp_path / "whole" / "trials.csv").read_text()
    assert tune(f"trials={trials}") == 0
    assert len(trainings.asked) == trials + 1
    assert tune(f"trials={trials + 1}") == 0
    assert len(trainings.asked) == trials + 2


def test_a_trial_that_fails_is_recorded_with_its_reason_and_the_search_goes_on(tune, trainings, tmp_path, capsys):
    trainings.outcomes = {2: "loss/critic is nan at env step 70", 3: "ended by SIGKILL"}
    assert tune("trials=4") == 0
    table = rows(tmp_path / "search")
    assert [row["state"] for row in table] == ["complete", "fail", "fail", "complete"]
    assert [row["reason"] for row in table] == ["", "loss/critic is nan at env step 70", "ended by SIGKILL", ""]
    assert "trial 1 failed: loss/critic is nan at env step 70" in capsys.readouterr().out


def test_a_search_without_any_success_says_so_in_one_line(tune, trainings, capsys):
    trainings.outcomes = {1: "a", 2: "b"}
    assert tune("trials=2") == 2
    assert capsys.readouterr().err == "qtrl: no trial of 2 gave a value; the last: b\n"


def test_several_seeds_are_averaged(tune, trainings, tmp_path):
    assert tune("trials=1", "seeds=[3,5]") == 0
    assert [keys["seed"] for keys in trainings.asked] == ["3", "5"]
    assert trainings.settings()[0] == trainings.settings()[1]
    (row,) = rows(tmp_path / "search")
    assert float(row["value"]) == pytest.approx(-abs(math.log10(float(row["algo.tau"])) + 2) - 4)


def test_the_optimized_metric_is_maximised(tune, trainings, tmp_path):
    assert tune("trials=1", "optimized_metric=test/best_return") == 0
    (row,) = rows(tmp_path / "search")
    assert float(row["value"]) == pytest.approx(1 - abs(math.log10(float(row["algo.tau"])) + 2))


def test_an_accuracy_is_told_with_four_decimals(search, trainings, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(jobs, "_value", lambda *asked: 0.91237)
    space = ("~space", "+space.algo.lr_decay={type: categorical, choices: [linear, cosine]}")
    given = ("experiment=hdqnn_moons", "optimized_metric=validation/accuracy", "trials=1", *space)
    assert search(*given, f"folder={tmp_path / 'search'}") == 0
    assert capsys.readouterr().out.count("0.9124") == 3
    assert "validation/accuracy 0.9124" in (tmp_path / "search" / "best.yaml").read_text()


def test_after_the_timeout_no_trial_begins(tune, trainings, capsys):
    assert tune("trials=1") == 0
    assert tune("trials=9", "timeout=0") == 0
    assert len(trainings.asked) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("trials=0",), "trials=0 is not allowed: expected an integer of at least 1"),
        (("timeout=-1",), "timeout=-1 is not allowed"),
        (("seeds=3",), "seeds=3 is not allowed: expected a list"),
        (("seeds=[1,1]",), "expected each of them once"),
        (("run_dir=x",), "run_dir=x is not allowed: a search sets run_dir itself"),
        (("resume=true",), "resume=true is not allowed"),
        (("sede=1",), "did you mean"),
        (("+space.algo.gama={type: float, low: 0.9, high: 1}",), "did you mean algo.gamma?"),
        (("+space.algo.gamma={type: float, low: 0.9, high: 1.5}",), "algo.gamma=1.5 is not allowed"),
        (("+space.circuit={type: categorical, choices: [efficient_su2, nope]}",), "nope"),
        (("+space.gradient.hidden={type: int, low: 1, high: 8}", "gradient=zero"), "no key 'gradient.hidden'"),
        (("algo.gamma=7",), "algo.gamma=7 is not allowed"),
        (("+algo.n_step=3",), "unknown key 'algo.n_step'"),
        (("+trainer.max_epochs=3",), "trainer.max_epochs=3 has no effect"),
        (("warmup_env_steps=20000",), "warmup_env_steps=20000 must be at least 0 and below total_env_steps=20000"),
        (("+env.wrappers=[{_target_: nowhere.X}]",), "nowhere.X cannot be made"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_before_anything_runs(tune, trainings, tmp_path, capsys, arguments, said):
    assert tune(*arguments) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert (out, err.count("\n")) == ("", 1)
    assert trainings.asked == []
    assert not (tmp_path / "search").exists()


@pytest.mark.parametrize(
    "key", ["total_env_steps={type: int, low: 100, high: 200}", "env.workers={type: int, low: 1, high: 2}"]
)
def test_a_space_over_what_no_training_reads_is_refused(search, trainings, tmp_path, capsys, key):
    given = ("experiment=hdqnn_moons", "optimized_metric=validation/accuracy", "~space", f"+space.{key}")
    assert search(*given, f"folder={tmp_path / 'search'}", "trials=1") == 2
    name = key.partition("=")[0]
    assert f"has no effect: no run of Supervised reads {name}" in capsys.readouterr().err
    assert trainings.asked == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "which experiment?"),
        (("experiment=pendulum_zeros", "space=nope"), "'space': learning_rates surrogate"),
        (("experiment=pendulum_zeros", "~space"), "space is empty"),
        (("experiment=pendulum_zeros", "-m"), "-m is not allowed"),
    ],
)
def test_a_command_without_experiment_or_space_is_told(
    search, trainings, tmp_path, monkeypatch, capsys, arguments, said
):
    monkeypatch.chdir(tmp_path)  # Hydra makes a folder for a multirun
    assert search(f"folder={tmp_path / 'search'}", *arguments) == 2
    err = capsys.readouterr().err
    assert said in " ".join(err.split())
    assert trainings.asked == []


@pytest.mark.parametrize("name", sorted(path.stem for path in Path(config_dir(), "space").glob("*.yaml")))
def test_every_space_fits_the_configs(search, trainings, tmp_path, name, capsys):
    trainings.outcomes[1] = "it was not trained"
    assert search("experiment=pendulum_pqc", f"space={name}", "trials=1", f"folder={tmp_path / 'search'}") == 2
    assert "no trial of 1 gave a value; the last: it was not trained" in capsys.readouterr().err


def test_without_optuna_the_extra_is_named(tune, trainings, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert tune() == 2
    assert capsys.readouterr().err == "qtrl: a search needs Optuna: pip install 'qtrl[tune]'\n"
    assert not (tmp_path / "search").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("algo.gamma=0.9",), "holds a search with overrides="),
        (("seed=1",), "holds a search with seeds=[0], not [1]"),
        (("space.algo.tau.high=0.2",), "holds a search with space="),
    ],
)
def test_another_search_in_its_folder_is_refused(tune, trainings, capsys, arguments, said):
    assert tune("trials=1") == 0
    assert tune("trials=2", *arguments) == 2
    assert said in capsys.readouterr().err
    assert len(trainings.asked) == 1


@pytest.mark.parametrize("content", ["something else", "no database", "a link"])
def test_a_folder_that_holds_no_search_is_refused(tune, trainings, tmp_path, capsys, content):
    folder = tmp_path / "search"
    folder.mkdir()
    if content == "a link":
        (tmp_path / "study.db").touch()
        (folder / "study.db").symlink_to(tmp_path / "study.db")
    else:
        (folder / ("notes.txt" if content == "something else" else "study.db")).write_text("no database\n" * 100)
    assert tune("trials=1") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert trainings.asked == []


def test_a_folder_is_searched_in_by_one_process(tune, trainings, tmp_path, capsys):
    (tmp_path / "search").mkdir()
    with locked(tmp_path / "search"):
        assert tune("trials=1") == 2
    assert "search is in use by another process" in capsys.readouterr().err


def test_a_training_that_outlived_its_search_is_no_failed_trial(tune, trainings, tmp_path, capsys):
    trainings.outcomes[1] = Interruption(signal.SIGTERM)
    assert tune("trials=1") == 143
    run = tmp_path / "search" / "trial0" / "seed0"
    run.mkdir(parents=True)
    with locked(run):
        assert tune("trials=1") == 2
    assert "seed0 is in use by another process" in capsys.readouterr().err
    assert [row["state"] for row in rows(tmp_path / "search")] == ["running"]


@pytest.fixture
def child(monkeypatch, tmp_path):
    """A training whose program is a text, in a process to which signals are passed on."""

    def made(program):
        training, signals = trial_process.Training([], tmp_path / "log"), jobs.Signals()
        training._command = [sys.executable, "-c", program]

        def run():
            with signals.passed_on(), signals.of(training):
                return training()

        return run

    return made


STOPS = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit('saved'))
signal.signal(signal.SIGINT, lambda *_: sys.exit('saved'))
signal.signal(signal.SIGHUP, lambda *_: sys.exit('saved'))
os.kill(os.getppid(), {number})
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_passed_on_and_waited_for(child, tmp_path, number):
    before, training = signal.getsignal(number), child(STOPS.format(number=int(number)))
    with pytest.raises(Interruption, match=number.name):
        training()
    assert (tmp_path / "log").read_text() == "saved\n"
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("pass", None),
        ("import sys; print('qtrl: a'); print('qtrl: bad value'); print('x'); sys.exit(2)", "bad value"),
        ("raise OSError('disk\x1b full')", "OSError: disk full"),
        ("import os; os.kill(os.getpid(), 9)", "ended by SIGKILL"),
        ("import sys; sys.exit(7)", "status 7"),
    ],
)
def test_why_a_training_failed_is_read_from_what_it_said(child, tmp_path, program, reason):
    (tmp_path / "log").write_text("qtrl: of an earlier start\n")
    assert child(program)() == reason


def test_a_training_that_somebody_else_ended_ends_the_search(child):
    with pytest.raises(Interruption, match="SIGTERM"):
        child("import os; os.kill(os.getpid(), 15)")()


def test_several_trials_run_at_a_time_in_one_study(tune, trainings, tmp_path, monkeypatch):
    meeting = threading.Barrier(2, timeout=30)
    run = trainings.run
    monkeypatch.setattr(trainings, "run", lambda keys, log: (meeting.wait(), run(keys, log))[1])
    assert tune("trials=4", "jobs=2") == 0  # a trial alone would wait in vain
    table = rows(tmp_path / "search")
    assert [row["state"] for row in table] == ["complete"] * 4
    assert len({row["algo.tau"] for row in table}) == 4
    assert sorted(trainings.settings()) == sorted(row["algo.tau"] for row in table)


def test_no_more_trials_begin_than_are_wanted(tune, trainings, tmp_path):
    assert tune("trials=3", "jobs=8") == 0
    assert [row["trial"] for row in rows(tmp_path / "search")] == ["0", "1", "2"]


def test_all_trials_that_a_signal_interrupted_go_on(tune, trainings, tmp_path, capsys):
    trainings.outcomes = {1: Interruption(signal.SIGINT), 2: Interruption(signal.SIGINT)}
    assert tune("trials=3", "jobs=2") == 130
    assert "stopped by SIGINT in trials 0, 1; the same command goes on with them" in capsys.readouterr().out
    assert [row["state"] for row in rows(tmp_path / "search")] == ["running"] * 2
    assert tune("trials=3", "jobs=2") == 0
    assert [row["state"] for row in rows(tmp_path / "search")] == ["complete"] * 3
    assert sorted(trainings.settings()[:2]) == sorted(trainings.settings()[2:4])


def test_an_error_of_one_trial_ends_the_others(tune, trainings, tmp_path, capsys):
    trainings.outcomes[1] = RunFolderError("disk full")
    assert tune("trials=2", "jobs=2") == 2
    assert capsys.readouterr().err == "qtrl: disk full\n"


def test_a_signal_reaches_trainings_that_are_about_to_begin():
    signals, stopped = jobs.Signals(), []
    signals.stop(signal.SIGTERM)
    with signals.of(SimpleNamespace(stop=stopped.append)):
        signals.stop(signal.SIGINT)
    signals.stop(signal.SIGINT)
    assert stopped == [signal.SIGTERM, signal.SIGINT]


@pytest.mark.parametrize(("set_before", "threads"), [(None, "1"), ("3", "3")])
def test_trainings_at_a_time_share_the_cores(monkeypatch, set_before, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(3))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if set_before:
        monkeypatch.setenv("OMP_NUM_THREADS", set_before)
    with jobs._cores_shared(2):
        assert os.environ["OMP_NUM_THREADS"] == threads
    assert os.environ.get("OMP_NUM_THREADS") == set_before


@pytest.mark.slow
def test_a_real_search_is_interrupted_and_goes_on(tmp_path):
    folder = tmp_path / "search"
    command = [sys.executable, "-m", "qtrl.tune", "experiment=pendulum_zeros", "debug=smoke", "logger=csv", "trials=2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    options = {"cwd": tmp_path, "env": environment, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, f"folder={folder}"], **options) as first:
        while not (folder / "trial0" / "seed0" / "metrics.csv").exists():
            assert first.poll() is None
            time.sleep(0.05)
        first.send_signal(signal.SIGINT)
        said = first.communicate()[0]
    assert first.returncode == 130
    assert "in trial 0; the same command goes on with it" in said
    assert [row["state"] for row in rows(folder)] == ["running"]
    done = subprocess.run([*command, f"folder={folder}"], **options)
    assert done.returncode == 0
    table = rows(folder)
    assert [row["state"] for row in table] == ["complete", "complete"]
    for row in table:
        summary = json.loads((folder / f"trial{row['trial']}" / "seed0" / "summary.json").read_text())
        assert summary["return_mean"] == float(row["value"])
    assert "qtrl: best: trial" in done.stdout
