import json

import pytest
import yaml

from qtrl.analysis.runs.study import read_study
from qtrl.config.nested import leaves
from qtrl.errors import RunFolderError

CONFIG = {
    "tags": [],
    "label": "pqc",
    "seed": 0,
    "total_env_steps": 300,
    "warmup_env_steps": 100,
    "test_every_env_steps": 100,
    "run_dir": "x",
    "env": {"id": "Pendulum-v1", "max_episode_steps": None},
    "block": {"_target_": "qtrl.nn.PQC", "shots": 100},
    "algo": {"gamma": 0.99},
    "callbacks": {"test_episodes": 2, "test_max_episode_steps": None},
    "logger": {"group": None},
}
SUMMARY = {
    "status": "complete",
    "wall_seconds": 10.0,
    "circuits": 500,
    "shots": 50_000,
    "parameter_shift_circuits": 9_000,
    "return_mean": -150.0,
    "return_std": 1.0,
    "return_per_episode": [-149.0, -151.0],
    "best_return_mean": -140.0,
    "last_ten_return_mean": -155.0,
    "env_id": "Pendulum-v1",
    "observation_size": 3,
    "action_size": 1,
    "label": "pqc",
    "seed": 0,
    "versions": {"gymnasium": "1.4.0", "mujoco": "4.0.0"},
    "git_commit": "c" * 40,
}
METRICS = """env_steps,train/return,test/return_mean,test/gap
100,-900.5,,
100,,-800,-100.5
200,-700,,
300,-500,-160,
300,,-150,
"""


def read_config(folder):
    try:
        return dict(leaves(yaml.safe_load((folder / "config.yaml").read_text())))
    except (OSError, yaml.YAMLError) as error:
        raise RunFolderError(f"{folder / 'config.yaml'} cannot\nbe read") from error


def write(folder, *, metrics=None, config=(), **summary):
    folder.mkdir(parents=True)
    summary = SUMMARY | summary
    shared = {key: summary[key] for key in ("label", "seed")}
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG | shared | dict(config)))
    (folder / "metrics.csv").write_text(METRICS if metrics is None else metrics(METRICS))
    (folder / "summary.json").write_text(json.dumps({k: v for k, v in summary.items() if v is not None}))
    return folder


@pytest.fixture
def write_run():
    """Write a run; `metrics` changes the text of its CSV, `config` keys of its config, the rest those of its summary.

    None takes a key away.
    """
    return write


@pytest.fixture
def study_of():
    """Read the runs in some folders."""
    return lambda *folders: read_study(folders, read_config=read_config)


@pytest.fixture
def only_reason(study_of):
    """Return why the only run in a folder was left out."""

    def only_reason(folder):
        study = study_of(folder)
        (skipped,) = study.skipped
        assert "\n" not in skipped.reason and not study.runs
        return skipped.reason

    return only_reason
