"""Signals: the run saves where it is and exits with 128 + the signal within 10 s; a second one ends it at once."""

from itertools import product
from signal import SIGHUP, SIGINT, SIGTERM, SIGUSR1

import pytest
from comparing import differences, digests, env_steps
from forked_runs import ForkedRuns

from qtrl.files.checkpoint import read_checkpoint
from qtrl.loggers import MetricsCSV

RUN = ("experiment=pendulum_zeros", "num_threads=1", "callbacks.log_every_env_steps=1")
LONG = ("total_env_steps=4000000", "warmup_env_steps=3999999", "env.max_episode_steps=null")
LONG_TEST = ("env.max_episode_steps=10000000", "callbacks.test_max_episode_steps=10000000")
WORKERS = ("num_envs=2", "env.vector=processes", "env.workers=2")
MOMENTS = {
    "while it learns": ((), 20, 0.0),
    "at once": ((), 1, 0.0),
    "in workers": (WORKERS, 15, 0.0),
}


def steps_of(folder):
    return env_steps(read_checkpoint(folder / "checkpoints" / "last.ckpt"))


def check_stopped(runs, status, number):
    assert status == 128 + number, runs.said()
    assert runs.left_behind == 0
    assert "Traceback" not in runs.said()


def stops():
    """The quick tests have two signals, to one process and to its group."""
    quick = {("while it learns", SIGTERM, False), ("while it learns", SIGINT, True)}
    for stop in product(MOMENTS, (SIGTERM, SIGINT, SIGHUP), (False, True)):
        yield pytest.param(*stop, marks=() if stop in quick else pytest.mark.slow)


@pytest.mark.parametrize(("moment", "number", "group"), list(stops()))
def test_a_stopped_run_goes_on_to_the_same_end(runs, whole, small, tmp_path, moment, number, group):
    options, lines, seconds = MOMENTS[moment]
    arguments = (*small, *RUN, *options, "resume=auto")
    folder = tmp_path / "run"
    check_stopped(runs, runs(*arguments, f"run_dir={folder}", signals=[(lines, seconds, number, group)]), number)
    assert runs.seconds_after_signal < 10
    assert 0 < steps_of(folder) < 80
    assert runs(*arguments, f"run_dir={folder}") == 0, runs.said()
    assert differences(digests(folder), whole(*RUN, *options)) == []


@pytest.mark.parametrize(
    ("options", "lines", "seconds"), [(LONG, -1, 2.0), (LONG_TEST, 12, 0.5)], ids=["warm-up", "test"]
)
def test_it_stops_within_10_s_in_the_middle_of_a_long_part(runs, small, tmp_path, options, lines, seconds):
    folder = tmp_path / "run"
    signals = [(lines, seconds, SIGTERM, False)]
    check_stopped(runs, runs(*small, *RUN, *options, f"run_dir={folder}", signals=signals), SIGTERM)
    assert runs.seconds_after_signal < 10
    assert steps_of(folder) > 0


def test_a_second_signal_ends_it_at_once(runs, small, tmp_path):
    stuck = ("env.id=faulty_envs:Late_sleep-v0", f"run_dir={tmp_path / 'run'}")
    signals = [(30, 0.5, SIGTERM, False), (0, 0.3, SIGTERM, False)]
    check_stopped(runs, runs(*small, *RUN, *stuck, signals=signals), SIGTERM)
    assert runs.seconds_after_signal < 1
    assert steps_of(tmp_path / "run") == 40


@pytest.mark.slow
def test_a_run_that_cannot_stop_is_ended_within_10_s_and_says_where_it_was(runs, small, tmp_path):
    stuck = ("env.id=faulty_envs:Late_sleep-v0", f"run_dir={tmp_path / 'run'}")
    status = runs(*small, *RUN, *stuck, signals=[(30, 1.0, SIGTERM, False)])
    assert status == 128 + SIGTERM
    assert runs.seconds_after_signal < 10
    assert "not stopped after" in runs.said()
    assert "faulty_envs.py" in runs.said()
    assert steps_of(tmp_path / "run") == 40


@pytest.mark.slow
def test_slurm_requeues_a_job_that_it_preempts(whole, small, tmp_path):
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked.txt\n')
    scontrol.chmod(0o755)
    job = {"NTASKS": "1", "NTASKS_PER_NODE": "1", "NNODES": "1", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}
    job |= {"JOB_ID": "4711", "JOB_NAME": "humanoid", "NODELIST": "localhost"}
    environment = {f"SLURM_{name}": value for name, value in job.items()}
    arguments, folder = (*small, *RUN, "resume=auto"), tmp_path / "run"
    with ForkedRuns(tmp_path, environment, path=scontrol.parent) as runs:
        status = runs(*arguments, f"run_dir={folder}", signals=[(20, 0.0, SIGUSR1, False)])
        check_stopped(runs, status, SIGUSR1)
        assert (tmp_path / "asked.txt").read_text() == "requeue 4711\n"
        assert 0 < steps_of(folder) < 80
        assert not list(folder.glob("hpc_ckpt*"))
        assert runs(*arguments, f"run_dir={folder}") == 0, runs.said()
    assert differences(digests(folder), whole(*RUN)) == []


def test_a_folder_is_held_by_one_run(runs, whole, train, small, tmp_path, monkeypatch):
    folder, answers, log = tmp_path / "run", [], MetricsCSV.log_metrics
    arguments = (*small, *RUN, "resume=auto", f"run_dir={folder}")

    def while_it_runs(self, *metrics):
        log(self, *metrics)
        if not answers:
            answers.append((runs(*arguments), runs.said().splitlines()))

    monkeypatch.setattr(MetricsCSV, "log_metrics", while_it_runs)
    assert train(*arguments) == 0
    ((status, lines),) = answers
    assert status == 2
    assert len(lines) == 1
    assert f"run_dir={folder} is in use by another process" in lines[0]
    assert differences(digests(folder), whole(*RUN)) == []
