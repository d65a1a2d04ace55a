from types import SimpleNamespace

import numpy as np
import pytest
import torch

from qtrl.commands import evaluation
from qtrl.commands.uploads import own_wandb_run, print_address, report_wandb_run
from qtrl.config.saved import checked_text
from qtrl.envs import Episodes
from qtrl.errors import ConfigError
from qtrl.nn import quantum_layers

LOGGER = ("logger.project=atlas", "logger.entity=me", "logger.group=study", "logger.offline=true", "tags=[a]")


@pytest.fixture
def run(compose, tmp_path):
    """A run folder with the config of a run of that logger."""

    def made(*overrides):
        folder = tmp_path / "seed0"
        (folder / "wandb").mkdir(parents=True)
        (folder / "wandb" / "run_id.txt").write_text("abc123")
        cfg = compose("experiment=pendulum_zeros", "run_dir=x", *overrides)
        (folder / "config.yaml").write_text(checked_text(cfg))
        return cfg, folder

    return made


def test_a_video_goes_to_the_run_s_own_wandb_run(run):
    cfg, folder = run(*LOGGER)
    made = own_wandb_run(cfg, folder)
    about = {key: made._init[key] for key in ("project", "entity", "group", "name", "tags", "job_type")}
    assert about == {
        "project": "atlas",
        "entity": "me",
        "group": "study",
        "name": "seed0",
        "tags": ["a"],
        "job_type": None,
    }
    assert (made.version, made.mode) == ("abc123", "offline")


def test_a_report_goes_to_a_run_of_its_own_in_the_group_of_the_study(run, tmp_path):
    _, folder = run(*LOGGER)
    made = report_wandb_run(tmp_path / "out", folder)
    about = {key: made._init[key] for key in ("project", "entity", "group", "name", "job_type")}
    assert about == {"project": "atlas", "entity": "me", "group": "study", "name": "report out", "job_type": "report"}
    assert made.version == ""


def test_a_run_without_wandb_is_told(run, tmp_path):
    cfg, folder = run("logger=csv")
    for make in (lambda: own_wandb_run(cfg, folder), lambda: report_wandb_run(tmp_path, folder)):
        with pytest.raises(ConfigError, match=r"^log=true sends files to W&B, but .*seed0 was run without it"):
            make()


@pytest.mark.parametrize(("where", "said"), [("https://x/abc", "qtrl: W&B: https://x/abc\n"), ("", "")])
def test_where_files_are_is_said_if_they_are_there(capsys, where, said):
    print_address(where)
    assert capsys.readouterr().out == said


@pytest.fixture
def sent(monkeypatch):
    calls = []
    log_video = lambda run, path, env_steps: calls.append((path, env_steps)) or "there"  # noqa: E731
    monkeypatch.setattr(evaluation, "log_video", log_video)
    return calls


@pytest.fixture
def evaluated(run, compose, monkeypatch):
    """Test an agent that another part of the suite has trained: what it plays is given."""

    def tested(*overrides, logger=LOGGER):
        cfg, folder = run(*logger)
        (folder / "videos").mkdir()
        agent = SimpleNamespace(
            cfg=cfg,
            run_dir=folder,
            layers=quantum_layers(torch.nn.Identity()),
            exported=False,
            play=lambda cfg, render_first: Episodes((-1.0,), (5,), [np.zeros((32, 32, 3), np.uint8)] * 5, 30),
            facts=lambda cfg: {"episodes": 1, "env_steps": 400},
        )
        monkeypatch.setattr(evaluation, "load_agent", lambda cfg: agent)
        evaluation.run_evaluation(compose(f"run={folder}", *overrides, config_name="eval"))
        return folder

    return tested


def test_a_test_sends_its_video_where_that_is_asked_for(evaluated, sent):
    folder = evaluated("video=true", "log=true")
    (video,) = folder.glob("videos/*.mp4")
    assert sent == [(video, 400)]


def test_a_test_sends_nothing_by_itself(evaluated, sent):
    evaluated("video=true")
    assert sent == []


@pytest.mark.parametrize(
    ("overrides", "logger", "said"),
    [
        (["log=true"], LOGGER, "log=true sends the video to W&B: add video=true"),
        (["video=true", "log=true"], ("logger=csv",), "was run without it"),
    ],
)
def test_a_video_that_cannot_be_sent_is_told_before_anything_is_played(
    evaluated, sent, tmp_path, overrides, logger, said
):
    with pytest.raises(ConfigError, match=said):
        evaluated(*overrides, logger=logger)
    assert sent == [] and not list(tmp_path.rglob("*.json"))
