import csv
import json

import pytest
import yaml

pytestmark = pytest.mark.filterwarnings("default")
SMALL = ("experiment=hdqnn_moons", "logger=csv", "dataset.rows=200", "circuit.n_qubits=2", "circuit.reps=1", "shots=20")


@pytest.fixture(scope="module")
def moons(train, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "moons"
    assert train(*SMALL, "gradient.hidden=8", "epochs=1", "model.layers=2", f"run_dir={folder}") == 0
    return folder


def newest(folder, ending):
    return max((folder / "eval").glob(f"*{ending}"))


def test_a_model_is_tested_on_the_rows_that_were_held_out(moons, evaluate, capsys):
    assert evaluate(f"run={moons}", "seed=0") == 0
    result = json.loads(newest(moons, ".json").read_text())
    summary = json.loads((moons / "summary.json").read_text())
    assert result["accuracy"] == summary["test_accuracy"]
    assert (result["shots"], result["dataset"], result["test_rows"]) == (20, "moons", 40)
    assert newest(moons, ".csv").read_text() == (moons / "test_predictions.csv").read_text()
    assert newest(moons, ".png").read_bytes().startswith(b"\x89PNG")
    assert "accuracy" in capsys.readouterr().out


def test_shots_and_engine_may_be_others(moons, evaluate):
    assert evaluate(f"run={moons}", "shots=500", "engine=reference", "checkpoint=best", "readout_error=0.1") == 0
    result = json.loads(newest(moons, ".json").read_text())
    assert result["readout_error"] == 0.1
    assert (result["shots"], result["engine"], result["checkpoint"]) == (500, "reference", "best")


@pytest.mark.parametrize("option", ["episodes=3", "video=true", "export=somewhere"])
def test_options_of_agents_are_refused(option, moons, evaluate, capsys):
    assert evaluate(f"run={moons}", option) == 2
    assert f"{option} has no effect on a run of task=supervised" in capsys.readouterr().err


def test_layers_are_replaced_to_see_whether_they_are_used(moons, evaluate, capsys):
    assert evaluate(f"run={moons}", "ablation=frozen_policy") == 0
    result = json.loads(newest(moons, ".json").read_text())
    assert result["status"] == "complete" and "the layer is" in result["verdict"]
    with newest(moons, ".csv").open(newline="") as file:
        rows = {row["condition"]: row for row in csv.DictReader(file)}
    assert {"own", "surrogate", "held_at_mean", "other_states", "zeros", "exact"} <= rows.keys()
    assert {row["n"] for row in rows.values()} == {"40"}
    assert float(rows["own"]["return_mean"]) == pytest.approx(100 * result["conditions"][0]["accuracy"])
    assert newest(moons, ".png").read_bytes().startswith(b"\x89PNG")
    assert "test rows" in capsys.readouterr().out


@pytest.mark.parametrize("columns", ["the same", "others"])
def test_another_table_is_refused(columns, moons, evaluate, capsys):
    config = moons / "config.yaml"
    before = config.read_text()
    other = before.replace("noise: 0.15", "noise: 0.3")
    if columns == "others":
        cfg = yaml.safe_load(before)
        cfg["dataset"] = {"_target_": "qtrl.data.tables.digits", "_partial_": True}
        other = yaml.safe_dump(cfg)
    config.write_text(other)
    try:
        assert evaluate(f"run={moons}") == 2
    finally:
        config.write_text(before)
    assert "was not trained on this table" in capsys.readouterr().err
