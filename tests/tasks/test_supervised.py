import csv
import json
import math

import pytest
import torch
import yaml
from tiny_moons import MOONS

from qtrl.config.instantiate import construct_task
from qtrl.tasks import RunContext

SMALL = (*MOONS, "gradient.hidden=8", "model.hidden=8")
PICTURES = {"learning_curve.png", "test.png", "decision_surface.png"}
FILES = {"config.yaml", "metrics.csv", "summary.json", "checkpoints", "test_predictions.csv", "decision_surface.csv"}


@pytest.fixture(scope="module")
def run(train, tmp_path_factory):
    def trained(*overrides):
        folder = tmp_path_factory.mktemp("supervised") / "run"
        assert train(*overrides, f"run_dir={folder}") == 0
        return folder

    return trained


@pytest.fixture(scope="module")
def moons(run):
    """Train on moons for two epochs."""
    return run(*SMALL, "epochs=2")


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


def rows_of(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_a_whole_folder(moons):
    assert {path.name for path in moons.iterdir()} == FILES | PICTURES
    summary = summary_of(moons)
    assert (summary["status"], summary["env_steps"], summary["dataset"]) == ("complete", 260, "moons")
    assert summary["updates"] == 2 * math.ceil(130 / 32)
    assert sum(map(sum, summary["confusion_matrix"])) == summary["test_rows"] == 40
    assert 0 <= summary["test_calibration_error"] <= 1


def test_circuits_are_booked_by_phase(moons):
    circuits = summary_of(moons)["circuits_by_purpose"]
    assert circuits == {"explore": 260, "model": 0, "test": 2 * 30 + 40}
    assert summary_of(moons)["parameter_shift_circuits"] == 260 * (1 + 2 * 8)


def test_rows_of_metrics_have_every_phase(moons):
    rows = rows_of(moons)
    trained = [row for row in rows if row["train/loss"]]
    assert [float(row["train/epoch"]) for row in trained] == [1.0, 2.0]
    for name in ("gradient/model", "gradient/surrogate", "surrogate/bce_before", "surrogate/bce_after"):
        assert all(math.isfinite(float(row[name])) for row in trained)
    assert sum(bool(row["validation/accuracy"]) for row in rows) == 2
    assert rows[-1]["test/accuracy"] and rows[-1]["env_steps"] == "260"


def test_a_saved_config_has_nothing_of_reinforcement_learning(moons):
    cfg = yaml.safe_load((moons / "config.yaml").read_text())
    assert not {"env", "actor", "critic", "exploration", "num_envs", "warmup_env_steps", "total_env_steps"} & cfg.keys()
    assert cfg["data"].keys() == {"batch_size", "validation_share", "test_share", "split_seed"}


def test_predictions_of_the_test_rows_are_kept(moons):
    with (moons / "test_predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    right = sum(row["moon"] == row["predicted"] for row in rows) / len(rows)
    assert right == pytest.approx(summary_of(moons)["test_accuracy"])
    assert all(float(row["p(0)"]) + float(row["p(1)"]) == pytest.approx(1, abs=1e-5) for row in rows)


@pytest.mark.parametrize("block", ["fc", "rbg", "zeros"])
def test_the_other_blocks_train(block, run):
    folder = run(*SMALL, "epochs=1", f"block={block}")
    assert summary_of(folder)["circuits"] == 0
    assert summary_of(folder)["label"] == block


def test_an_estimator_that_learns_nothing_trains(run):
    folder = run(*MOONS, "model.hidden=8", "gradient=spsa", "epochs=1")
    assert summary_of(folder)["circuits_by_purpose"]["explore"] == 0


def test_two_layers_in_series_train_each_with_its_own_circuits(run):
    folder = run(*SMALL, "epochs=1", "model.layers=2")
    assert summary_of(folder)["circuits_by_purpose"]["explore"] == 2 * 130


def test_a_number_is_predicted(run):
    folder = run("experiment=hdqnn_diabetes", "debug=smoke", "logger=csv", "circuit.n_qubits=2", "circuit.reps=1")
    summary = summary_of(folder)
    assert summary["test_rmse"] > 0 and summary["test_r2"] < 1
    assert not (folder / "decision_surface.csv").exists()
    assert "confusion_matrix" not in summary


def state_of(folder):
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    moments = [state["state"] for state in checkpoint["optimizer_states"]]
    return {
        **checkpoint["state_dict"],
        **{f"{n}/{i}/{k}": v for n, kept in enumerate(moments) for i, own in kept.items() for k, v in own.items()},
        **{f"pairs/{name}/{k}": v for name, own in checkpoint["pairs"].items() for k, v in own.items()},
        "counters": torch.tensor([checkpoint["env_steps"], checkpoint["updates"]]),
    }


@pytest.mark.parametrize("layers", [1, 2])
def test_a_run_goes_on_bit_for_bit(layers, run, train):
    common = (*SMALL, f"model.layers={layers}", "model.pairs=50", "gradient.pairs=recent", "gradient.window=40")
    common += ("algo.lr_decay=null",)  # rates would follow the length that a run was given at first
    whole, parts = run(*common, "epochs=4"), run(*common, "epochs=2")
    assert train("resume=true", f"run_dir={parts}", "epochs=4") == 0
    expected, found = state_of(whole), state_of(parts)
    assert expected.keys() == found.keys()
    assert all(torch.equal(torch.as_tensor(found[name]), torch.as_tensor(expected[name])) for name in expected)
    assert summary_of(parts)["test_accuracy"] == summary_of(whole)["test_accuracy"]
    validated = [[row["validation/loss"] for row in rows_of(folder)] for folder in (whole, parts)]
    assert [value for value in validated[0] if value] == [value for value in validated[1] if value]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["num_envs=4"], "num_envs=4 has no effect: no run of Supervised reads num_envs"),
        (["env=pendulum"], "env=pendulum has no effect"),
        (["optimized_metric=test/return_mean"], "is not measured in classification"),
        (["data.batch_size=1000"], "data.batch_size=1000 is more than the 130 training rows"),
        (["gradient.fresh_noise=0.1"], "gradient.fresh_noise=0.1 has no effect here"),
        (["epochs=0"], "epochs=0 is not allowed"),
        (["+trainer.max_epochs=3"], "trainer.max_epochs=3 has no effect in a run of qtrl: write epochs"),
        (["dataset=table"], "which table?"),
        (["dataset=table", "dataset.path=none.csv", "dataset.target=t"], "there is no such file"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_before_anything_is_written(wrong, said, train, tmp_path, capsys):
    folder = tmp_path / "run"
    base = SMALL if "dataset=table" not in wrong else ("experiment=hdqnn_table", "logger=csv")
    assert train(*base, *wrong, f"run_dir={folder}") == 2
    err = capsys.readouterr().err.strip().splitlines()
    assert said in err[-1]
    assert not folder.exists()


def test_keys_of_supervised_learning_have_no_effect_in_reinforcement_learning(train, tmp_path, capsys):
    base = ("experiment=pendulum_pqc", "debug=smoke", "logger=csv", f"run_dir={tmp_path / 'run'}")
    assert train(*base, "dataset=digits") == 2
    assert "no run of RL reads dataset" in capsys.readouterr().err
    assert train(*base, "optimized_metric=test/accuracy") == 2
    assert "is not measured here" in capsys.readouterr().err


def test_a_table_of_ones_own_is_learned_and_a_changed_one_refused(train, tmp_path, capsys):
    path, folder = tmp_path / "mine.csv", tmp_path / "run"
    text = "a,b,t\n" + "".join(f"{i % 7},{i % 5},{'high' if i % 7 > 3 else 'low'}\n" for i in range(100))
    path.write_text(text)
    table = ("experiment=hdqnn_table", f"dataset.path={path}", "dataset.target=t", *SMALL[1:2], *SMALL[3:])
    assert train(*table, "epochs=1", f"run_dir={folder}") == 0
    assert summary_of(folder)["classes"] == ["high", "low"]
    path.write_text(text.replace("6,", "5,", 1))
    capsys.readouterr()
    assert train("resume=true", f"run_dir={folder}", "epochs=2") == 2
    assert "the table is not the one that this run began with" in capsys.readouterr().err
    before = (folder / "metrics.csv").read_text()
    path.write_text(text)
    assert train("resume=true", f"run_dir={folder}", "epochs=2") == 0
    assert (folder / "metrics.csv").read_text().startswith(before)


def test_a_run_cannot_become_shorter(moons, train, capsys):
    assert train("resume=true", f"run_dir={moons}", "epochs=1") == 2
    assert "epochs, which makes 130, is below the 260 examples already made" in capsys.readouterr().err


@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
def test_a_run_is_as_long_as_what_its_ranks_see(world_size, compose, tmp_path):
    task = construct_task(compose(*SMALL, "epochs=2", "callbacks.checkpoint_every_epochs=1"))
    context = RunContext(tmp_path, seed=0, world_size=world_size)
    data, length = task.make_data(task.make_module(context), context), task.length(world_size)
    for _ in data:
        pass
    assert (data.env_steps, data.env_steps) == (length.total, 2 * length.checkpoint_every)


def test_a_run_says_what_it_is_compared_by(moons, run):
    measure = summary_of(moons)["measure"]
    assert (measure["name"], measure["unit"], measure["counts"]) == ("accuracy", "share of rows", "examples seen")
    assert measure["curve"] in rows_of(moons)[0] and {measure["final"], measure["best"]} <= summary_of(moons).keys()
