"""W&B may vanish: its service killed or stopped, its server out of reach; the run is the one without W&B."""

import os
import signal
import time
from pathlib import Path

import pytest
from comparing import differences, digests, metrics
from fake_wandb_server import FakeServer
from forked_runs import ForkedRuns

from qtrl.loggers import MetricsCSV
from qtrl.loggers import wandb as wandb_run

pytestmark = pytest.mark.filterwarnings("default")
RUN = ("experiment=pendulum_zeros",)
SAID = r"W&B failed \(.*\); all goes on without it, .* has everything"


@pytest.fixture
def client(monkeypatch):
    """The real client, with nothing left of other tests before and after."""
    import wandb

    monkeypatch.setattr(wandb_run, "CALL_SECONDS", 10)  # a busy machine is no fault of W&B's
    monkeypatch.setattr(wandb_run, "RETRY_SECONDS", (0, 60))
    wandb.teardown()
    yield monkeypatch
    wandb.teardown()


@pytest.fixture
def online(client):
    """W&B's server is one of this test's."""
    client.setattr(wandb_run, "START_SECONDS", 5)

    def at(url):
        for name, value in {"WANDB_MODE": "online", "WANDB_API_KEY": "a" * 40, "WANDB_BASE_URL": url}.items():
            client.setenv(name, value)

    return at


@pytest.fixture
def run(train, small, tmp_path):
    def started(name, *overrides):
        folder = tmp_path / name
        start = time.monotonic()
        assert train(*small, *RUN, *overrides, f"run_dir={folder}") == 0
        return folder, time.monotonic() - start

    return started


def services():
    """The processes of W&B's service that this one started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if name == "wandb-core" and rest.split()[0] not in "ZX" and int(rest.split()[1]) == os.getpid():
            found.append(int(path.parent.name))
    return found


def at_row(monkeypatch, number, act):
    """Do something before row `number` of the metrics is logged."""
    log, rows = MetricsCSV.log_metrics, []

    def counted(self, *args):
        rows.append(1)
        if len(rows) == number:
            act()
        log(self, *args)

    monkeypatch.setattr(MetricsCSV, "log_metrics", counted)


def check_same_as_without(whole, folder):
    assert differences(digests(folder), whole(*RUN)) == []
    assert len(metrics(folder)) > 8


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.slow)])
def test_a_service_that_dies_or_hangs_changes_nothing(run, whole, client, recwarn, how):
    def end():
        (pid,) = services()
        os.kill(pid, how)
        ended.append(pid)

    ended = []
    if how == signal.SIGSTOP:
        client.setattr(wandb_run, "CALL_SECONDS", 1)
    with client.context() as patch:
        at_row(patch, 4, end)
        folder, seconds = run("run", "logger=wandb")
    if how == signal.SIGSTOP:
        os.kill(ended[0], signal.SIGKILL)
    said = [str(warning.message) for warning in recwarn if "W&B" in str(warning.message)]
    assert seconds < 60
    assert len(said) == 1
    check_same_as_without(whole, folder)
    if how == signal.SIGKILL:
        assert len(list((folder / "wandb").glob("offline-run-*"))) == 2  # it was started again, under the same id


def test_a_service_that_died_is_waited_for(client, tmp_path):
    run = wandb_run.WandbRun(tmp_path, project="qtrl-test", run_name="a run", offline=True)
    run.log_metrics({"env_steps": 1})
    (dead,) = services()
    os.kill(dead, signal.SIGKILL)
    with pytest.warns(UserWarning, match="W&B failed") as said:
        for step in range(2, 500):
            if not said:
                run.log_metrics({"env_steps": step})
                time.sleep(0.01)
    assert not Path(f"/proc/{dead}").exists()


@pytest.mark.parametrize("stalls", [pytest.param(True, marks=pytest.mark.slow), False], ids=["stalls", "refuses"])
def test_a_server_out_of_reach_at_the_start_makes_an_offline_run(run, whole, online, recwarn, stalls):
    with FakeServer(stalls=stalls) as server:
        if not stalls:
            server.server_close()
        online(server.url)
        folder, seconds = run("run", "logger=wandb")
    said = [str(warning.message) for warning in recwarn if "W&B" in str(warning.message)]
    assert len(said) == 1
    assert "the run is kept offline" in said[0]
    assert "wandb sync" in said[0]
    assert seconds < 60
    (offline,) = (folder / "wandb").glob("offline-run-*/run-*.wandb")
    assert b"loss/critic" in offline.read_bytes()
    check_same_as_without(whole, folder)


def test_a_server_that_stops_to_answer_in_the_middle_does_not_hold_the_run(run, whole, online, client, recwarn):
    client.setattr(wandb_run, "FINISH_SECONDS", 3)
    with FakeServer() as server:
        online(server.url)
        with client.context() as patch:
            at_row(patch, 4, lambda: setattr(server, "stalls", True))
            folder, seconds = run("run", "logger=wandb")
        assert "UpsertBucket" in server.asked
    assert seconds < 60
    assert [str(warning.message) for warning in recwarn if "W&B" in str(warning.message)]
    check_same_as_without(whole, folder)
    kept = (folder / "wandb").glob("run-*/run-*.wandb")  # on a busy machine two: a row took too long before
    assert any(b"loss/critic" in path.read_bytes() for path in kept)


@pytest.mark.slow
def test_a_stopped_run_does_not_wait_for_a_server_that_stalls(small, tmp_path):
    key = {"WANDB_MODE": "online", "WANDB_API_KEY": "a" * 40}
    with FakeServer(stalls_later=True) as server:
        with ForkedRuns(tmp_path, key | {"WANDB_BASE_URL": server.url}) as runs:
            arguments = (*small, *RUN, "num_threads=1", "logger=wandb", f"run_dir={tmp_path / 'run'}")
            status = runs(*arguments, "callbacks.log_every_env_steps=1", signals=[(20, 0.0, signal.SIGTERM, False)])
        assert "UpsertBucket" in server.asked
    assert status == 143, runs.said()
    assert runs.seconds_after_signal < 10
    assert runs.left_behind == 0
    assert "not stopped after" not in runs.said()


def test_an_online_run_sends_its_rows_to_a_server_that_answers(run, online, recwarn):
    with FakeServer() as server:
        online(server.url)
        run("run", "logger=wandb")
    assert not [warning for warning in recwarn if "W&B" in str(warning.message)]
    assert any(path.endswith("file_stream") for path in server.asked)
