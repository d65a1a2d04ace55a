import json

import pytest

from qtrl.commands.dashboard import make_dashboard
from qtrl.errors import ConfigError

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic V1 style:DeprecationWarning")  # wandb-workspaces' own


def test_save_false_prints_the_definition_and_nothing_else(dashboard, capsys):
    assert dashboard("entity=me", "project=qtrl", "save=false") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["section"]["settings"]["xAxis"] == "env_steps"
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "which entity? give the W&B user or team, as in entity=NAME"),
        (("entity=me",), "which project? give the W&B project that holds the runs, as in project=NAME"),
        (("entity=a/b", "project=p"), "entity='a/b' is not allowed: expected a name"),
        (("entity=me", "project=''"), "project='' is not allowed: expected a name"),
        (("entity=me", "project=p", "save=3"), "save=3 is not allowed: expected true or false"),
        (("entity=me", "project=p", "sav=true"), "sav"),
        (("entity=me", "project=p", "sections=3"), "sections=3 is not allowed: expected for each section a list"),
        (
            ("entity=me", "project=p", "sections.Losses=[{title: B}]"),
            "with keys out of title, metrics, unit, log_scale",
        ),
        (
            ("entity=me", "project=p", "sections.Losses=[{title: B, metrics: train/q1}]"),
            "expected for each section a list",
        ),
        (("entity=me", "project=p"), "not logged in to W&B: run `wandb login`, or set WANDB_API_KEY"),
    ],
)
def test_what_is_missing_or_wrong_is_told_in_one_line(dashboard, capsys, arguments, said):
    assert dashboard(*arguments) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert (out, err.count("\n")) == ("", 1)


def test_panels_are_those_of_the_config(dashboard, capsys):
    panel = "sections.Mine=[{title: Q, metrics: [train/q1, train/q2], unit: reward}]"
    assert dashboard("entity=me", "project=p", "save=false", f"+{panel}") == 0
    sections = json.loads(capsys.readouterr().out)["section"]["panelBankConfig"]["sections"]
    (mine,) = (section for section in sections if section["name"] == "Mine")
    assert mine["panels"][0]["config"]["metrics"] == ["train/q1", "train/q2"]


def test_names_may_look_like_numbers(compose, capsys):
    make_dashboard(compose("entity=123", "project=2026", "save=false", config_name="dashboard"))
    assert json.loads(capsys.readouterr().out)


def test_secrets_are_refused(compose, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "canary-that-must-not-sing")
    cfg = compose("entity=canary-that-must-not-sing", "project=p", config_name="dashboard")
    with pytest.raises(ConfigError, match="the value of the secret WANDB_API_KEY") as told:
        make_dashboard(cfg)
    assert "must-not-sing" not in str(told.value)
