"""Fixtures of finished runs that were never trained: for tests of `qtrl.analysis`, and of the command on top of it."""

import contextlib
import csv
import io
import json

import numpy as np
import pytest
import yaml

from qtrl.keys import METRICS, PURPOSES, info_metrics

LEVELS = {"pqc": -150, "fc": -170, "zeros": -165, "shuffled": -240}
"""Return that the runs of a label come to."""
SEEDS = 3
TOTAL, EVERY = 20_000, 1_000
COLUMNS = (*METRICS, *info_metrics(["is_success", "x_velocity"]))
SHARED = ("experiment=pendulum_pqc", "logger=csv")
CHOICES = {"pqc": "block=pqc", "fc": "block=fc", "zeros": "block=zeros", "shuffled": "control=shuffled"}


@pytest.fixture(scope="session")
def configs(compose):
    """What `config.yaml` holds, by label."""
    from qtrl.config.saved import checked_text

    composed = {label: compose(*SHARED, CHOICES[label], f"label={label}") for label in LEVELS}
    return {label: yaml.safe_load(checked_text(cfg)) for label, cfg in composed.items()}


def rows_of(label, seed):
    """Rows of a run that learns: of every metric that the block has, one value every 1,000 env steps."""
    random = np.random.default_rng([seed, *label.encode()])
    quantum = label != "fc"
    for env_steps in range(EVERY, TOTAL + 1, EVERY):
        learned = 1 - np.exp(-env_steps / 4000)
        test = -1300 + (1300 + LEVELS.get(label, -200)) * learned + random.normal(0, 12)
        row = dict.fromkeys(COLUMNS, float(random.uniform(0, 1)))
        row |= {"env_steps": env_steps, "updates": env_steps, "test/return_mean": test, "test/return_std": 80.0}
        row |= {"train/return": test - random.uniform(0, 60), "test/gap": -random.uniform(0, 60)}
        row |= {"loss/critic": 40 * np.exp(-env_steps / 6000) + random.uniform(0.2, 2), "loss/actor": 300 * learned}
        bce = 0.69 - 0.3 * learned + random.normal(0, 0.01)
        fitted = {"surrogate/bce_before": bce, "surrogate/bce_after": bce - 0.02}
        row |= (
            {**fitted, "train/q_out_entropy": 5 - learned}
            if quantum
            else dict.fromkeys((*fitted, "train/q_out_entropy"), "")
        )
        yield row


def write_run(folder, config, seed, **changed):
    """Write the files of a complete run."""
    folder.mkdir(parents=True)
    label = config["label"]
    rows = list(rows_of(label, seed))
    (folder / "config.yaml").write_text(yaml.safe_dump(config | {"seed": seed}, sort_keys=False))
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    tests = [row["test/return_mean"] for row in rows]
    (folder / "summary.json").write_text(json.dumps(summary_of(label, seed, tests) | changed))
    return folder


def summary_of(label, seed, tests):
    circuits = 0 if label in ("fc", "zeros") else TOTAL
    return {
        "status": "complete",
        "env_steps": TOTAL,
        "updates": TOTAL - EVERY,
        "wall_seconds": 400.0 + seed,
        "circuits": circuits,
        "shots": 100 * circuits,
        "circuits_by_purpose": dict.fromkeys(PURPOSES, 0),
        "circuit_seconds": 1.0,
        "parameter_shift_circuits": 60_000_000 if circuits else 0,
        "return_mean": tests[-1],
        "return_std": 80.0,
        "return_per_episode": [tests[-1]] * 100,
        "best_return_mean": max(tests),
        "best_env_steps": TOTAL,
        "last_ten_return_mean": float(np.mean(tests[-10:])),
        "label": label,
        "seed": seed,
        "experiment": "pendulum_pqc",
        "env_id": "Pendulum-v1",
        "observation_size": 3,
        "action_size": 1,
        "versions": {"gymnasium": "1.4.0", "mujoco": "4.0.0"},
        "git_commit": "0" * 40,
    }


@pytest.fixture(scope="session")
def study_dir(configs, tmp_path_factory):
    """A folder of synthetic runs, some of them broken."""
    top = tmp_path_factory.mktemp("runs") / "study"
    for label, config in configs.items():
        for seed in range(SEEDS):
            write_run(top / label / f"seed{seed}", config, seed)
    write_run(top / "pqc" / "stopped", configs["pqc"], 7, status="KeyboardInterrupt")
    cut = write_run(top / "fc" / "cut", configs["fc"], 8)
    (cut / "summary.json").write_text('{"status": "comp')
    write_run(top / "fc" / "hostile", configs["fc"] | {"label": "<script>alert(1)</script>"}, 9, label=None)
    return top


@pytest.fixture(scope="session")
def study(study_dir, study_in):
    """The runs of that folder."""
    return study_in(study_dir)


MEASURE = {
    "name": "accuracy",
    "unit": "share of rows",
    "final": "test_accuracy",
    "best": "best_validation_accuracy",
    "curve": "validation/accuracy",
    "counts": "examples seen",
    "facts": ["dataset", "test_rows", "fingerprint"],
    "settings": ["task._target_", "epochs"],
    "columns": [],
    "starts": None,
    "digits": 3,
}
"""What runs on a table of examples are compared by."""


def write_model_run(folder, label, seed, **changed):
    """Write the files of a complete run on a table of examples, so far as a report reads them."""
    folder.mkdir(parents=True)
    random = np.random.default_rng([seed, *label.encode()])
    config = {"label": label, "seed": seed, "epochs": 4, "task": {"_target_": "qtrl.tasks.Supervised"}}
    config |= {"dataset": {"seed": 0}, "block": {"_target_": label}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    rows = [
        f"{100 * epoch},{0.7 / epoch},,\n{100 * epoch},,{0.6 + 0.05 * epoch},{0.7 / epoch}\n" for epoch in range(1, 5)
    ]
    (folder / "metrics.csv").write_text("env_steps,train/loss,validation/accuracy,validation/loss\n" + "".join(rows))
    accuracy = {"pqc": 0.9, "fc": 0.8}[label] + random.uniform(0, 0.05)
    summary = {"status": "complete", "label": label, "seed": seed, "env_steps": 400, "wall_seconds": 9.0}
    summary |= {"circuits": 40, "shots": 400, "parameter_shift_circuits": 900, "git_commit": "0" * 40}
    summary |= {"test_accuracy": accuracy, "best_validation_accuracy": 0.8}
    summary |= {"dataset": "moons", "test_rows": 40, "fingerprint": "a" * 64, "measure": MEASURE}
    (folder / "summary.json").write_text(json.dumps(summary | changed))
    return folder


@pytest.fixture(scope="session")
def make_model_run():
    """Write the files of a complete run on a table of examples into a folder."""
    return write_model_run


@pytest.fixture(scope="session")
def study_in():
    """Read the runs below a folder."""
    from qtrl.analysis.runs.study import read_study
    from qtrl.config.nested import leaves

    def read_config(folder):
        return dict(leaves(yaml.safe_load((folder / "config.yaml").read_text())))

    return lambda *folders: read_study(folders, read_config=read_config)


@pytest.fixture(scope="session")
def model_study(study_in, tmp_path_factory):
    """Runs on a table of examples."""
    top = tmp_path_factory.mktemp("models")
    for label in ("pqc", "fc"):
        for seed in range(SEEDS):
            write_model_run(top / f"{label}{seed}", label, seed)
    return study_in(top)


@pytest.fixture(scope="session")
def written(report, study_dir, tmp_path_factory):
    """The folder of a report about them, and what the command printed."""
    out = tmp_path_factory.mktemp("written")
    with contextlib.redirect_stdout(io.StringIO()) as told:
        assert report(f"runs={study_dir}", f"out={out}") == 0
    return out, told.getvalue()


@pytest.fixture
def coarse(monkeypatch):
    """Pictures with few pixels and parts anywhere, for tests that do not look at them."""
    monkeypatch.setattr("qtrl.analysis.drawing.export.RESOLUTION", 20)
    monkeypatch.setattr("matplotlib.figure.Figure.draw_without_rendering", lambda figure: None)
    monkeypatch.setattr("matplotlib.layout_engine.ConstrainedLayoutEngine.execute", lambda engine, figure: None)


@pytest.fixture
def one_figure(monkeypatch):
    """An empty figure in place of all, for tests that do not look at them."""
    from qtrl.analysis.drawing.export import new_figure
    from qtrl.analysis.drawing.figures import Drawing

    def draw(*_, **__):
        return [Drawing("returns", "Nothing", [], new_figure(1, 1))]

    monkeypatch.setattr("qtrl.analysis.page.write.draw_figures", draw)


@pytest.fixture(scope="session")
def make_run():
    """Write the files of a complete run into a folder."""
    return write_run
