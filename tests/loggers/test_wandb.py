import os
import sys
import threading
import time
import warnings
from types import SimpleNamespace

import pytest

from qtrl.errors import RunFolderError
from qtrl.loggers import WandbRun
from qtrl.loggers import wandb as wandb_run
from qtrl.loggers.wandb import has_key, teardown


def make_run(folder, **options):
    return WandbRun(folder, project="qtrl-test", run_name="a run", **options)


class Fake:
    """Stands in for the client: remembers every call."""

    def __init__(self):
        self.calls, self.inits, self.summary = [], [], {}
        self.id = "abc123"

    def init(self, **options):
        self.inits.append(options)
        return self

    def Settings(self, **options):  # noqa: N802 - the client's own name
        return SimpleNamespace(**options)

    def define_metric(self, *args, **kwargs):
        self.calls.append(("define_metric", args, kwargs))

    def log(self, row):
        self.calls.append(("log", row))

    def finish(self, exit_code):
        self.calls.append(("finish", exit_code))

    def teardown(self):
        self.calls.append(("teardown",))


@pytest.fixture
def client(monkeypatch):
    fake = Fake()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def test_the_real_client_writes_an_offline_run_and_resumes_it_under_the_same_id(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # the client's own deprecations
        warnings.filterwarnings("error", message="W&B failed")  # which would leave a run without its rows
        for step in (1, 2):
            run = make_run(tmp_path, offline=True, tags=["a"], config={"seed": 0})
            run.log_metrics({"env_steps": step, "loss/critic": 0.5})
            run.log_summary({"status": "complete"})
            assert run.experiment.offline
            run.finalize("success")
    teardown()  # the service may still be writing
    folders = (tmp_path / "wandb").glob("offline-run-*")
    (number,) = {path.name.split("-")[3] for path in folders}  # of two runs in one second the other ends in "-1"
    assert (tmp_path / "wandb" / "run_id.txt").read_text() == number == run.version
    files = list((tmp_path / "wandb").glob(f"offline-run-*/run-{number}.wandb"))
    assert files
    assert all(b"loss/critic" in path.read_bytes() for path in files)


def test_env_steps_are_the_axis_of_every_metric(tmp_path, client):
    run = make_run(tmp_path)
    run.log_metrics({"env_steps": 5, "loss/critic": 1.0}, step=99)
    assert client.calls == [
        ("define_metric", ("env_steps",), {}),
        ("define_metric", ("*",), {"step_metric": "env_steps"}),
        ("log", {"env_steps": 5, "loss/critic": 1.0}),
    ]


def test_the_run_gets_its_config_and_labels_and_no_code_or_git(tmp_path, client):
    options = {"entity": "me", "group": "g", "tags": ["a", "b"], "config": {"seed": 3}}
    make_run(tmp_path, **options).log_metrics({"env_steps": 1})
    (init,) = client.inits
    assert {name: init[name] for name in options} == options
    assert (init["project"], init["name"], init["dir"], init["resume"]) == (
        "qtrl-test",
        "a run",
        str(tmp_path),
        "allow",
    )
    assert init["id"] is None
    assert init["settings"].disable_git
    assert not init["settings"].save_code
    assert init["settings"].x_disable_meta


def test_the_command_line_reaches_no_file_of_the_real_client(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["qtrl", "canary-that-must-not-sing"])
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        run = make_run(tmp_path, offline=True)
        run.log_metrics({"env_steps": 1})
        run.finalize("success")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"must-not-sing" in path.read_bytes()]


def test_a_finished_run_is_closed_once(tmp_path, client):
    run = make_run(tmp_path)
    run.finalize("success")
    assert client.inits == []
    run.log_summary({"a": 1})
    run.finalize("failed")
    run.finalize("success")
    assert client.summary == {"a": 1}
    assert [call for call in client.calls if call[0] == "finish"] == [("finish", 1)]


@pytest.mark.parametrize("broken", ["init", "log", "define_metric"])
def test_a_client_that_fails_warns_once_and_never_raises(tmp_path, client, monkeypatch, broken):
    def fail(*args, **kwargs):
        raise OSError("the service died")

    monkeypatch.setattr(client, broken, fail)
    run = make_run(tmp_path)
    with pytest.warns(UserWarning, match=r"W&B failed \(the service died\); all goes on without it, .* has everything"):
        run.log_metrics({"env_steps": 1})
    run.log_metrics({"env_steps": 2})  # warnings are errors here
    run.log_summary({})
    run.finalize("success")


def failing(error):
    def fail(*args, **kwargs):
        raise error

    return fail


def test_a_client_that_failed_is_started_anew_a_few_times_under_the_same_id(tmp_path, client, monkeypatch):
    monkeypatch.setattr(wandb_run, "RETRY_SECONDS", (0, 0))
    run = make_run(tmp_path)
    run.log_metrics({"env_steps": 1})
    with monkeypatch.context() as patch:
        patch.setattr(client, "log", failing(ConnectionResetError("Connection lost")))
        with pytest.warns(UserWarning, match="W&B failed"):
            run.log_metrics({"env_steps": 2})
    run.log_metrics({"env_steps": 3})
    assert ("log", {"env_steps": 3}) in client.calls
    assert [init["id"] for init in client.inits] == [None, "abc123"]
    assert client.calls.count(("teardown",)) == 1
    client.log = failing(ConnectionResetError("Connection lost"))
    for step in range(4, 9):
        run.log_metrics({"env_steps": step})
    assert len(client.inits) == 3


def test_a_service_that_ends_with_an_error_ends_no_training(tmp_path, client):
    client.log, client.teardown = failing(ConnectionResetError("Connection lost")), failing(SystemExit(-9))
    with pytest.warns(UserWarning, match="W&B failed"):
        make_run(tmp_path).log_metrics({"env_steps": 1})


def test_after_a_failure_the_next_try_waits(tmp_path, client, monkeypatch):
    client.log = failing(ConnectionResetError("Connection lost"))
    run = make_run(tmp_path)
    with pytest.warns(UserWarning, match="W&B failed"):
        run.log_metrics({"env_steps": 1})
    for step in range(2, 9):
        run.log_metrics({"env_steps": step})
    assert len(client.inits) == 1


def test_a_client_that_hangs_is_left_behind(tmp_path, client, monkeypatch):
    monkeypatch.setattr(wandb_run, "CALL_SECONDS", 0.05)
    over = threading.Event()
    client.log = lambda row: over.wait()
    run, start = make_run(tmp_path), time.monotonic()
    with pytest.warns(UserWarning, match=r"W&B failed \(no answer in 0\.05 s\)"):
        run.log_metrics({"env_steps": 1})
    run.finalize("success")
    assert time.monotonic() - start < 10
    over.set()


def test_a_server_that_does_not_answer_makes_the_run_an_offline_one(tmp_path, client, monkeypatch):
    init = client.init

    def unreachable(**options):
        if options["mode"] == "online":
            raise OSError("no route to host\nand more")
        return init(**options)

    client.init = unreachable
    run = make_run(tmp_path, offline=False)
    with pytest.warns(UserWarning, match=r"W&B cannot be reached \(no route to host\); the run is kept offline"):
        run.log_metrics({"env_steps": 1})
    assert [options["mode"] for options in client.inits] == ["offline"]
    assert ("log", {"env_steps": 1}) in client.calls


@pytest.mark.parametrize("content", [b"", b"../x", b"a b", b"x" * 129, b"\xff", b"a\nb", "link", "folder", "fifo"])
def test_an_id_that_is_none_is_refused(tmp_path, content):
    path = tmp_path / "wandb" / "run_id.txt"
    path.parent.mkdir()
    if content == "link":
        (tmp_path / "secret").write_text("abc")
        path.symlink_to(tmp_path / "secret")
    elif content == "folder":
        path.mkdir()
    elif content == "fifo":
        os.mkfifo(path)
    else:
        path.write_bytes(content)
    with pytest.raises(
        RunFolderError, match="run_id.txt (does not hold the id of a W&B run|cannot be read|is no regular file|has 3)"
    ):
        make_run(tmp_path)


@pytest.mark.parametrize(
    ("variables", "asked", "mode"),
    [
        ({}, None, "offline"),
        ({"WANDB_API_KEY": "k" * 40}, None, "online"),
        ({"WANDB_API_KEY": ""}, None, "offline"),
        ({"WANDB_API_KEY": "k" * 40, "WANDB_MODE": "offline"}, None, "offline"),
        ({"WANDB_MODE": "online"}, None, "online"),
        ({"WANDB_MODE": "disabled", "WANDB_API_KEY": "k"}, None, "disabled"),
        ({"WANDB_API_KEY": "k" * 40}, True, "offline"),
        ({"WANDB_MODE": "offline"}, False, "online"),
    ],
)
def test_offline_unless_a_key_is_there_or_it_is_asked_for(tmp_path, client, monkeypatch, variables, asked, mode):
    monkeypatch.delenv("WANDB_MODE")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    run = make_run(tmp_path, offline=asked)
    run.log_metrics({"env_steps": 1})
    assert client.inits[0]["mode"] == mode


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("machine api.wandb.ai login user password k", True),
        ("machine example.org login user password k", False),
        ("this is no netrc", False),
        (None, False),
    ],
)
def test_a_login_in_the_netrc_file_is_a_key(tmp_path, monkeypatch, text, expected):
    if text is not None:
        (tmp_path / ".netrc").write_text(text)
        (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC")
    assert has_key() is expected


LOGIN = "machine {} login user password " + "k" * 40 + "\n"


@pytest.mark.parametrize(
    ("host", "variables", "settings", "found"),
    [
        ("api.wandb.ai", {}, "", True),
        ("wandb.firm.org", {}, "", False),
        ("wandb.firm.org", {"WANDB_BASE_URL": "https://wandb.firm.org"}, "", True),
        ("wandb.firm.org:8080", {"WANDB_BASE_URL": "http://wandb.firm.org:8080/"}, "", True),
        ("wandb.firm.org", {}, "[default]\nbase_url = https://wandb.firm.org\n", True),
        ("api.wandb.ai", {"WANDB_BASE_URL": "https://wandb.firm.org"}, "", False),
        ("api.wandb.ai", {}, "[default]\nbase_url = https://wandb.firm.org\n", False),
        ("api.wandb.ai", {}, "no settings", True),
    ],
)
def test_a_login_counts_at_the_server_that_runs_go_to(host, variables, settings, found, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text(LOGIN.format(host))
    (tmp_path / "settings").write_text(settings)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert has_key() is found


@pytest.mark.parametrize(("variable", "taken"), [("mine.1", True), ("a/b", False), ("", False), ("..", False)])
def test_the_id_of_the_environment_is_that_of_a_new_run_if_it_can_be_one(
    variable, taken, tmp_path, client, monkeypatch
):
    monkeypatch.setenv("WANDB_RUN_ID", variable)
    make_run(tmp_path).log_metrics({"env_steps": 1})
    assert (client.inits[0]["id"] == variable) is taken
    assert client.inits[0]["id"]
    make_run(tmp_path).log_metrics({"env_steps": 1})
    assert client.inits[1]["id"] == "abc123"  # the run's own from then on


def test_empty_words_are_left_to_w_and_b(tmp_path, client):
    WandbRun(tmp_path, project="", run_name="a run", entity="").log_metrics({"env_steps": 1})
    assert [client.inits[0][name] for name in ("project", "entity", "tags")] == [None, None, None]


def test_project_and_entity_of_the_environment_are_those_of_the_config(compose, monkeypatch):
    assert compose("experiment=pendulum_fc").logger.project == "qtrl"
    monkeypatch.setenv("WANDB_PROJECT", "robots")
    monkeypatch.setenv("WANDB_ENTITY", "lab")
    logger = compose("experiment=pendulum_fc", "tags=[a]").logger
    assert (logger.project, logger.entity) == ("robots", "lab")
    assert compose("experiment=pendulum_fc", "logger.project=other").logger.project == "other"
