"""`sweep.yaml` at the root of the checkout, as W&B's own agent takes it; without a server."""

import itertools
import os
import sys
from pathlib import Path

import pytest
import yaml

from qtrl.config.validation.checks import check_config
from qtrl.keys import METRICS

ROOT = Path(__file__).resolve().parents[2]
SWEEP = yaml.safe_load((ROOT / "sweep.yaml").read_text())


def corners(parameter):
    return parameter["values"] if "values" in parameter else [parameter["min"], parameter["max"]]


def arguments(setting):
    """The command for a setting, as the agent makes it."""
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

    filled = create_sweep_command_args({"args": {key: {"value": value} for key, value in setting.items()}})
    filled |= {"env": ["/usr/bin/env"], "interpreter": ["python"]}
    parts = (
        [part] if not part.startswith("${") else filled[part[2:-1]] for part in create_sweep_command(SWEEP["command"])
    )
    return list(itertools.chain.from_iterable(parts))


def test_it_looks_for_a_metric_that_runs_have():
    assert SWEEP["metric"] == {"name": "test/return_mean", "goal": "maximize"} and SWEEP["metric"]["name"] in METRICS


@pytest.mark.parametrize("place", [0, -1])
def test_every_setting_is_a_config_that_can_be_run(place, compose):
    setting = {key: corners(parameter)[place] for key, parameter in SWEEP["parameters"].items()}
    command = arguments(setting)
    assert command[:4] == ["/usr/bin/env", "python", "-m", "qtrl.train"]
    check_config(compose(*command[4:]))


@pytest.mark.slow
def test_an_agent_runs_it(tmp_path, monkeypatch):
    from wandb.wandb_agent import Agent

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    for name, value in {
        "WANDB_SWEEP_ID": "s1",
        "WANDB_RUN_ID": "",
        "WANDB_SWEEP_PARAM_PATH": "",
        "WANDB_DIR": "",
    }.items():
        monkeypatch.setenv(name, value)  # the agent sets these itself, and they are to be as before afterwards
    agent = Agent(api=None, queue=None, sweep_id="s1")
    agent._sweep_command = SWEEP["command"]
    setting = {key: corners(parameter)[0] for key, parameter in SWEEP["parameters"].items()}
    setting |= {"debug": "smoke", "run_dir": "run", "callbacks.probe_every_env_steps": "null"}
    args = {key: {"value": value} for key, value in setting.items()}
    agent._command_run({"run_id": "abc123", "program": None, "args": args})
    assert agent._run_processes["abc123"].wait(timeout=240) == 0
    assert list((tmp_path / "run" / "wandb").glob("offline-run-*-abc123"))
    saved = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert saved["circuit"]["reps"] == setting["circuit.reps"]
