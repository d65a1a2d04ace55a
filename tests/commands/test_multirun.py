import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qtrl.commands.multirun import failures_of_jobs, tell_failure, told_failures

ROOT = Path(__file__).parents[2]
STUDY = ("-m", "experiment=study/pendulum", "debug=smoke", "logger=csv")
SHORT = ("total_env_steps=30", "warmup_env_steps=20", "callbacks.test_max_episode_steps=5")
SHORT += ("actor.hidden=16", "critic.hidden=16", "callbacks.probe_every_env_steps=null")


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
    long = (*SHORT, "total_env_steps=100000", "debug=smoke", "logger=csv", "block=zeros", "seed=0,1")
    command = [sys.executable, "-m", "qtrl.train", "-m", "experiment=study/pendulum", *long, f"paths.runs={tmp_path}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    runs = [tmp_path / "study" / "pendulum" / "zeros" / f"seed{seed}" for seed in (0, 1)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: all((run / "checkpoints" / "last.ckpt").exists() for run in runs))
        finally:
            process.kill()
    wait_for(lambda: all("SIGTERM" in status(run) for run in runs))


JOB = """
import os, signal, time
from qtrl.commands.multirun import end_with_command
end_with_command()
print("runs", os.getpid(), flush=True)
{then}
"""
COMMAND = """
import os, signal, subprocess, sys, time
from qtrl.commands.multirun import failures_of_jobs
job = [sys.executable, "-c", {job!r}]
with failures_of_jobs():
    {body}
"""
STAY = "time.sleep(60)"


def start(source, **variables):
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    return subprocess.Popen([sys.executable, "-c", source], env=environment, stdout=subprocess.PIPE, text=True)


def variable_of(process):
    """What a command hands down to its jobs in `QTRL_MULTIRUN`, read from its standard output."""
    return process.stdout.readline().strip()


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("ended", [False, True])
def test_a_job_that_another_process_started_runs_and_does_not_end_with_the_command(ended):
    """As a worker of submitit or Ray does, whose environment was copied from the command's."""
    command = start(COMMAND.format(job="", body=f"print(os.environ['QTRL_MULTIRUN'], flush=True); {STAY}"))
    variable = variable_of(command)
    if ended:
        command.kill()
        command.wait()
    with start(JOB.format(then="time.sleep(1.5)"), QTRL_MULTIRUN=variable) as job:
        assert job.stdout.readline().startswith("runs")
        command.kill()
    command.wait()
    command.stdout.close()
    assert job.returncode == 0


def test_a_command_of_another_time_with_the_number_of_the_parent_is_none_of_the_jobs():
    edit = "d = json.loads(os.environ['QTRL_MULTIRUN']); d['started'] -= 1; "
    body = f"import json; {edit}os.environ['QTRL_MULTIRUN'] = json.dumps(d); sys.exit(subprocess.call(job))"
    then = "import threading; assert threading.active_count() == 1"
    with start(COMMAND.format(job=JOB.format(then=then), body=body)) as command:
        assert command.stdout.readline().startswith("runs")
    assert command.returncode == 0


@pytest.mark.parametrize("between", [False, True], ids=["child", "grandchild"])
def test_a_job_below_the_command_is_asked_to_stop_when_the_command_is_killed(between):
    launch = (
        "job"
        if not between
        else "[sys.executable, '-c', 'import subprocess, sys; subprocess.call(sys.argv[1:])', *job]"
    )
    with start(COMMAND.format(job=JOB.format(then=STAY), body=f"subprocess.call({launch})")) as command:
        _, pid = command.stdout.readline().split()
        time.sleep(0.7)
        assert is_running(pid)
        command.kill()
        wait_for(lambda: not is_running(pid), 10)


def test_a_job_outlives_the_process_between_it_and_the_command():
    """As a worker of Ray whose raylet is replaced: the command is still there."""
    launcher = "import subprocess, sys; subprocess.Popen(sys.argv[1:]); input()"
    body = f"p = subprocess.Popen([sys.executable, '-c', {launcher!r}, *job], stdin=subprocess.PIPE); {STAY}"
    body = body.replace(STAY, "time.sleep(1); p.communicate(b'\\n'); print('gone', flush=True); time.sleep(60)")
    with start(COMMAND.format(job=JOB.format(then=STAY), body=body)) as command:
        _, pid = command.stdout.readline().split()
        assert command.stdout.readline() == "gone\n"
        time.sleep(0.7)
        assert is_running(pid)
        command.kill()
        wait_for(lambda: not is_running(pid), 10)


LATE = """
import multiprocessing, os, time
from qtrl.commands.multirun import end_with_command, failures_of_jobs

def job(parent):
    print(os.getpid(), flush=True)
    while os.getppid() == parent:
        time.sleep(0.01)
    end_with_command()
    time.sleep(60)

with failures_of_jobs():
    process = multiprocessing.get_context("fork").Process(target=job, args=(os.getpid(),))
    process.start()
    process.join()
"""


def test_a_job_that_begins_after_its_command_was_killed_ends_at_once():
    with start(LATE) as command:
        pid = command.stdout.readline().strip()
        command.kill()
        wait_for(lambda: not is_running(pid), 10)


def test_a_failure_that_cannot_be_told_to_the_command_is_no_other_failure(monkeypatch, tmp_path):
    with failures_of_jobs() as path:
        tell_failure("runs/a", "in the way")
        variable = os.environ["QTRL_MULTIRUN"]
        assert told_failures(path) == [("runs/a", "in the way")]
    monkeypatch.setenv("QTRL_MULTIRUN", variable)  # of a command that has ended
    tell_failure("runs/b", "in the way")


def status(run):
    path = run / "summary.json"
    return json.loads(path.read_text())["status"] if path.exists() else ""


def wait_for(there, seconds=300):
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_option_for_several_runs_may_stand_among_the_overrides(train, tmp_path):
    sweep = ("-m", "seed=0,1", f"hydra.sweep.dir={tmp_path}")
    assert train("experiment=pendulum_zeros", "debug=smoke", "logger=csv", "total_env_steps=60", *sweep) == 0
    assert {path.parent.name for path in tmp_path.glob("*/summary.json")} == {"0", "1"}
