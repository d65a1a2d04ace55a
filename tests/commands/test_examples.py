import csv
import json

import pytest
import yaml
from tiny_moons import MOONS

from qtrl.commands.examples import TrainedModel
from qtrl.nn import QuantumLayers


@pytest.fixture(scope="module")
def moons(train, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "moons"
    assert train(*MOONS, "gradient.hidden=8", "epochs=1", "model.layers=2", f"run_dir={folder}") == 0
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
    own = result["conditions"][0]
    assert float(rows["own"]["percent_mean"]) == pytest.approx(100 * own["accuracy"])
    assert "return_mean" not in rows["own"]
    assert (own["shots"], own["readout_error"], own["cost"]["circuits"]) == (20, 0.0, 2 * 40)
    assert newest(moons, ".png").read_bytes().startswith(b"\x89PNG")
    out, err = capsys.readouterr()
    assert "test rows" in out
    assert "qtrl: 1 of 14: own, score in % " in err


def test_conditions_that_were_finished_are_kept(moons, evaluate, monkeypatch):
    test, calls = TrainedModel.test, []

    def dies_at_the_third(model, options):
        calls.append(None)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return test(model, options)

    monkeypatch.setattr(TrainedModel, "test", dies_at_the_third)
    assert evaluate(f"run={moons}", "ablation=frozen_policy") == 130
    result = json.loads(newest(moons, ".json").read_text())
    assert result["status"] == "2 of 14 conditions"
    assert [condition["name"] for condition in result["conditions"]] == ["own", "shots_1"]


def test_a_mistake_in_a_condition_is_told_before_anything_is_tested(moons, evaluate, monkeypatch, capsys):
    monkeypatch.setattr(TrainedModel, "test", None)
    before = set((moons / "eval").glob("*"))
    assert evaluate(f"run={moons}", "ablation=frozen_policy", "+ablation.conditions.mine.block.shotz=3") == 2
    assert "ablation.conditions.mine: the block has no key 'shotz'" in capsys.readouterr().err
    assert set((moons / "eval").glob("*")) == before


def test_a_model_without_a_quantum_layer_is_refused(moons, evaluate, monkeypatch, capsys):
    monkeypatch.setattr(TrainedModel, "layers", QuantumLayers())
    assert evaluate(f"run={moons}", "ablation=frozen_policy") == 2
    assert "has no quantum layer, so there is nothing to put in the place of its block" in capsys.readouterr().err


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
