import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from qtrl.envs import make_vector_env
from qtrl.envs.vectorized.worker_pool import split_rows
from qtrl.errors import EnvError, EnvFaultError

COUNTING = "toy_envs:Counting-v0"
FINE, FAULT, ARM = 0.0, 1.0, 0.5
LOSSES = {"die": "died with exit code 7", "kill": "died with exit code -9", "hang": "did not answer in the time"}


def make(fault, **options):
    """Four environments in two worker processes; the fault is in the second one's first row."""
    options = {"num_envs": 4, "seed": 0, "workers": 2, "timeout": 2.0} | options
    envs = make_vector_env(f"toy_envs:Faulty_{fault}-v0", vector="processes", **options)
    envs.reset()
    return envs


def act(envs, value=FINE, row=2):
    actions = np.zeros((envs.num_envs, 1), np.float32)
    actions[row] = value
    return envs.step(actions)


@pytest.fixture(autouse=True)
def no_child_is_left():
    before = set(multiprocessing.active_children())
    yield
    assert set(multiprocessing.active_children()) <= before


@pytest.mark.parametrize("fault", LOSSES)
def test_a_worker_lost_in_a_step_is_started_again_and_its_rows_are_no_transitions(fault, capfd):
    envs = make(fault)
    try:
        before, *_ = act(envs)
        start = time.monotonic()
        after, reward, terminated, truncated, _ = act(envs, FAULT)
        assert time.monotonic() - start < 20
        lost = [False, False, True, True]
        assert envs.lost.tolist() == truncated.tolist() == lost
        assert not terminated.any()
        assert reward.tolist() == [2.0, 2.0, 0.0, 0.0]
        assert np.array_equal(after[2:], before[2:])
        assert after[:2, 2].tolist() == [2.0, 2.0]
        starts = envs.reset(options={"reset_mask": truncated})[0]
        assert starts[:, 2].tolist() == [2.0, 2.0, 0.0, 0.0]
        assert not set(starts[2:, 0]) & set(before[:, 0])
        assert act(envs)[0][:, 2].tolist() == [3.0, 3.0, 1.0, 1.0]
        assert not envs.lost.any()
    finally:
        envs.close()
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("qtrl: ")]
    assert len(said) == 1
    assert re.search(
        rf"worker process 2 of 2 for the environments {LOSSES[fault]}.*\(1 of 3 times in an hour\)", said[0]
    )


@pytest.mark.parametrize("fault", ["die", "hang"])
def test_a_worker_lost_in_a_reset_is_started_again_and_resets_again(fault):
    envs = make(fault)
    try:
        observations = [act(envs)[0], act(envs, ARM)[0]]
        mask = np.array([True, False, True, False])
        starts = envs.reset(options={"reset_mask": mask})[0]
        assert starts[:, 2].tolist() == [0.0, 2.0, 0.0, 2.0]
        assert np.array_equal(starts[3], observations[-1][3])
        # The fourth environment was in the middle of an episode, which is gone.
        after, _, _, truncated, _ = act(envs)
        assert envs.lost.tolist() == truncated.tolist() == [False, False, False, True]
        assert after[:, 2].tolist() == [1.0, 3.0, 1.0, 2.0]
        assert envs.reset(options={"reset_mask": truncated})[0][:, 2].tolist() == [1.0, 3.0, 1.0, 0.0]
        act(envs)
        assert not envs.lost.any()
    finally:
        envs.close()


def test_an_environment_that_raises_loses_its_episode_and_nothing_else(capfd):
    envs = make("raise")
    try:
        before = act(envs)[0]
        after, reward, terminated, truncated, _ = act(envs, FAULT)
        raised = [False, False, True, False]
        assert envs.lost.tolist() == truncated.tolist() == raised
        assert envs.errors.tolist() == [0, 0, 1, 0]
        assert not terminated.any() and reward[2] == 0.0
        assert np.array_equal(after[2], before[2])
        act(envs)
        assert not envs.lost.any() and not envs.errors.any()
    finally:
        envs.close()
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("qtrl: ")]
    assert "toy_envs:Faulty_raise-v0: step raised ValueError: a fault; the episode is dropped (1 of 10" in line


def test_an_environment_that_always_raises_ends_everything_in_one_line():
    envs = make("raise")
    complaint = "step raised ValueError: a fault, after 10 other exceptions in the last 10,000 env steps"
    try:
        with pytest.raises(EnvFaultError, match=complaint) as error:
            for _ in range(11):
                act(envs, FAULT)
        assert "\n" not in str(error.value)
        with pytest.raises(EnvError, match="cannot go on, they failed before: toy_envs:Faulty_raise-v0"):
            envs.state_dict()
    finally:
        envs.close()


def test_after_the_last_try_everything_ends_in_one_line():
    envs = make("die", max_restarts=2)
    complaint = f"worker process 2 of 2 for the environments {LOSSES['die']}.*, 2 workers were started again within"
    try:
        for _ in range(2):
            act(envs, FAULT)
        with pytest.raises(EnvError, match=complaint) as error:
            act(envs, FAULT)
        assert "\n" not in str(error.value)
    finally:
        envs.close()


def test_restarts_of_more_than_an_hour_ago_do_not_count(monkeypatch):
    envs = make("die", max_restarts=1)
    try:
        act(envs, FAULT)
        monkeypatch.setattr("qtrl.envs.vectorized.worker_pool.HOUR", 0.0)
        act(envs, FAULT)
        assert envs.lost.tolist() == [False, False, True, True]
    finally:
        envs.close()


def test_restarts_have_seeds_that_follow_from_the_old_ones():
    starts = []
    for _ in range(2):
        envs = make("die", workers=1, num_envs=2)
        try:
            for _ in range(2):
                act(envs, FAULT, row=0)
                starts.append(envs.reset(options={"reset_mask": envs.lost})[0][:, 0].tolist())
        finally:
            envs.close()
    assert starts[:2] == starts[2:]
    assert len({start for pair in starts for start in pair}) == 4


@pytest.mark.parametrize("when", ["step", "reset", "state"])
def test_a_worker_killed_between_two_commands_is_noticed_at_the_next(when):
    envs = make("die", num_envs=3)
    try:
        observation = act(envs)[0]
        victim = envs._pool.workers[1]._process
        victim.kill()
        victim.join()
        if when == "reset":
            assert envs.reset()[0][:, 2].tolist() == [0.0, 0.0, 0.0]
            assert not act(envs) or not envs.lost.any()
        elif when == "state":
            assert [record is None for record in envs.state_dict()["episodes"]] == [False, False, True]
            assert [record is None for record in envs.state_dict()["episodes"]] == [False, False, True]
            assert np.array_equal(act(envs)[0][2], observation[2])
            assert envs.lost.tolist() == [False, False, True]
        else:
            act(envs)
            assert envs.lost.tolist() == [False, False, True]
    finally:
        envs.close()


def test_with_no_restarts_a_dead_worker_is_one_line():
    envs = make("die", max_restarts=0)
    try:
        with pytest.raises(EnvError, match=r"2 of 2 for the environments died with exit code 7; look for its words"):
            act(envs, FAULT)
    finally:
        envs.close()


def test_a_worker_that_hangs_while_it_takes_episodes_up_begins_new_ones(monkeypatch):
    monkeypatch.setattr(
        "qtrl.envs.vectorized.worker_pool.REPLAY_FACTOR", 0.25
    )  # of 2 seconds, for each of a worker's two rows
    envs, other = make("hang"), make("hang", seed=9)
    try:
        act(envs)
        state = envs.state_dict()
        state["episodes"][2]["actions"][:] = FAULT
        assert other.load_state_dict(state).tolist() == [False, False, True, True]
        assert other.reset()[0][:, 2].tolist() == [1.0, 1.0, 0.0, 0.0]
        assert act(other)[0][:, 2].tolist() == [2.0, 2.0, 1.0, 1.0]
        assert not other.lost.any()
    finally:
        envs.close()
        other.close()


def test_closing_leaves_no_process_behind_also_in_the_middle_of_a_step():
    envs = make_vector_env(COUNTING, 3, 0, vector="processes", workers=2)
    processes = [worker._process for worker in envs._pool.workers]
    envs.step_async(np.zeros((3, 1), np.float32))
    start = time.perf_counter()
    envs.close()
    envs.close()
    assert time.perf_counter() - start < 4  # they ended by themselves
    assert [process.exitcode for process in processes] == [0, 0]


def test_closing_does_not_wait_for_a_worker_that_hangs(monkeypatch):
    monkeypatch.setattr("qtrl.envs.vectorized.worker_pool.PATIENCE_SECONDS", 0.5)
    envs = make("hang")
    envs.step_async(np.full((4, 1), FAULT, np.float32))
    start = time.perf_counter()
    envs.close()
    assert time.perf_counter() - start < 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_worker_processes_leave_signals_to_the_process_that_made_them(number):
    envs = make_vector_env(COUNTING, 2, 0, vector="processes", workers=2)
    try:
        envs.reset(seed=[0, 1])
        for worker in envs._pool.workers:
            os.kill(worker._process.pid, number)
        time.sleep(0.1)
        assert envs.step(np.zeros((2, 1), np.float32))[0].shape == (2, 3)
    finally:
        envs.close()


ORPHANS = """
import os, signal, sys, time
import numpy as np
from qtrl.envs import make_vector_env
from qtrl.envs.vectorized.worker_pool import split_rows
if __name__ == "__main__":
    envs = make_vector_env("toy_envs:Faulty_hang-v0", 2, 0, vector="processes", workers=2)
    print(*(worker._process.pid for worker in envs._pool.workers), flush=True)
    {end}
"""
KILLED = "os.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (KILLED, -signal.SIGKILL),
        (f"envs.step_async(np.ones((2, 1), np.float32)); time.sleep(0.3); {KILLED}", -signal.SIGKILL),
        ("", 0),
    ],
    ids=["killed", "killed while they hang", "ended"],
)
def test_worker_processes_end_with_a_process_that_does_not_close_them(tmp_path, end, status):
    script = tmp_path / "forgetful.py"
    script.write_text(ORPHANS.replace("{end}", end))
    here = Path(__file__).parents[1]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(here.parents[1]), str(here)])}
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environ, timeout=60)
    assert run.returncode == status
    pids = [int(word) for word in run.stdout.split()]
    assert len(pids) == 2
    for _ in range(100):
        if not any(running(pid) for pid in pids):
            break
        time.sleep(0.05)
    assert not any(running(pid) for pid in pids)


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_worker_process_imports_neither_torch_nor_torchrl():
    code = "import qtrl.envs.vectorized.worker_pool, sys; sys.exit(bool({'torch', 'torchrl'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("num_envs", "workers", "parts"),
    [(5, 2, [[0, 1, 2], [3, 4]]), (2, 8, [[0], [1]]), (4, 1, [[0, 1, 2, 3]]), (4, 2, [[0, 1], [2, 3]])],
)
def test_rows_are_shared_evenly_and_no_worker_goes_without(num_envs, workers, parts):
    assert split_rows(num_envs, workers) == parts
