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
def study(study_dir):
    """The runs of that folder."""
    from qtrl.analysis.runs.study import read_study
    from qtrl.config.nested import leaves

    def read_config(folder):
        return dict(leaves(yaml.safe_load((folder / "config.yaml").read_text())))

    return read_study([study_dir], read_config=read_config)


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
