import builtins
import json
import socket
import subprocess
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from qtrl.commands.dashboard import read_sections
from qtrl.config.location import config_dir
from qtrl.errors import WandbError
from qtrl.keys import METRICS
from qtrl.loggers.artifacts import VIDEO
from qtrl.loggers.workspace import definition, save, workspace

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic V1 style:DeprecationWarning")  # the package's own
VIEW = {"upsertView": {"view": {"id": "VmlldzoxMjM=", "name": "nw-abc-v"}, "inserted": True}}
SECTIONS = read_sections(OmegaConf.load(Path(config_dir(), "dashboard.yaml")).sections)


@pytest.fixture
def sealed(monkeypatch):
    """No connection is made and no process started, as W&B's service would be."""

    def refuse(*args, **kwargs):
        raise AssertionError("a call leaves the process")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)


@pytest.fixture
def spec(sealed):
    return json.loads(definition(workspace("me", "qtrl", SECTIONS)))["section"]


@pytest.fixture
def panels(spec):
    sections = spec["panelBankConfig"]["sections"]
    return [(section["name"], panel) for section in sections for panel in section["panels"]]


def curves(panels):
    return [(name, panel["config"]) for name, panel in panels if panel["viewType"] == "Run History Line Plot"]


def test_every_metric_is_one_that_a_run_logs(panels):
    shown = [metric for _, config in curves(panels) for metric in config["metrics"]]
    assert set(shown) <= set(METRICS)


def test_every_curve_is_over_env_steps_and_over_the_seeds_of_a_label(spec, panels):
    assert len(curves(panels)) == sum(map(len, SECTIONS.values())) == len(panels) - 1
    for _, config in curves(panels):
        assert (config["xAxis"], config["groupBy"], config["aggregate"]) == ("env_steps", "label.value", True)
        assert (config["groupAgg"], config["groupArea"]) == ("mean", "minmax")
    assert spec["settings"]["xAxis"] == "env_steps"
    assert {s["localPanelSettings"]["xAxis"] for s in spec["panelBankConfig"]["sections"]} == {"env_steps"}
    assert spec["runSets"][0]["grouping"] == [{"section": "config", "name": "label.value"}]


def test_the_last_section_shows_the_videos_that_are_logged(panels):
    name, panel = panels[-1]
    assert (name, panel["config"]["mediaKeys"]) == ("Videos", [VIDEO])


def test_a_missing_package_is_named(monkeypatch):
    import_module = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("wandb_workspaces"):
            raise ModuleNotFoundError(name)
        return import_module(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(WandbError, match=r"pip install 'qtrl\[dashboard\]'"):
        workspace("me", "qtrl", SECTIONS)


def test_without_a_login_nothing_is_asked_or_sent(sealed):
    with pytest.raises(WandbError, match=r"^not logged in to W&B: run `wandb login`, or set WANDB_API_KEY;[^\n]*$"):
        save(workspace("me", "qtrl", SECTIONS))


@pytest.fixture
def server(monkeypatch, service_ends):
    """W&B's server is one of this test's, which knows who is logged in."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "reliability")
    import fake_wandb_server

    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    answers = fake_wandb_server.ANSWERS | {"Viewer": {"viewer": {"id": "x", "username": "me", "entity": "me"}}}
    monkeypatch.setattr(fake_wandb_server, "ANSWERS", answers)
    with fake_wandb_server.FakeServer() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        yield server, answers


def test_the_real_client_sends_it_and_tells_where_it_is(server, capfd):
    server, answers = server
    answers["UpsertView2"] = VIEW
    assert save(workspace("me", "qtrl", SECTIONS)) == f"{server.url}/me/qtrl?nw=abc"
    assert server.asked.count("UpsertView2") == 1
    assert "a" * 40 not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("name", "answer", "reason"),
    [("UpsertView2", {"upsertView": None}, "its answer is empty"), ("Viewer", {}, "Failed to verify credentials")],
)
def test_a_refusal_is_told_in_one_line(server, name, answer, reason):
    server[1][name] = answer
    with pytest.raises(WandbError, match=rf"^W&B did not take the workspace of me/qtrl \({reason}[^\n]*check entity"):
        save(workspace("me", "qtrl", SECTIONS))


def test_a_server_that_does_not_answer_is_not_waited_for(server, monkeypatch):
    monkeypatch.setattr("qtrl.loggers.workspace.SAVE_SECONDS", 0.5)
    server[0].stalls = True
    with pytest.raises(WandbError, match=r"no answer in 0.5 s"):
        save(workspace("me", "qtrl", SECTIONS))
