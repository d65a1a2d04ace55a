import json
import shutil
from functools import partial

import numpy as np
import onnxruntime
import pytest
import yaml
from safetensors.torch import load_file
from tiny_moons import MOONS
from untrained_model import write_run

import qtrl
from qtrl.callbacks.examples import predict
from qtrl.files.checkpoint import read_checkpoint

FILES = {"README.md", "circuit.qasm", "config.yaml", "model.json", "model.safetensors", "result.json"}
HOUSES = ("dataset.target=price", "dataset.kind=regression", "optimized_metric=test/r2")


@pytest.fixture(scope="module")
def moons(train, export, tmp_path_factory):
    """A short run, and its model as it was exported."""
    top = tmp_path_factory.mktemp("exported")
    assert train(*MOONS, "gradient.hidden=8", "epochs=1", f"run_dir={top / 'run'}") == 0
    assert export(f"run={top / 'run'}", f"to={top / 'small'}", "checkpoint=best") == 0
    return top / "run", top / "small"


@pytest.fixture(scope="module")
def houses(compose, export, tmp_path_factory):
    """A run on a file of the user's own, and its model as it was exported; it never ended."""
    top = tmp_path_factory.mktemp("houses")
    (top / "run").mkdir()
    (top / "private").mkdir()
    numbers = np.random.default_rng(0).normal(10, 3, size=(60, 2)).round(3)
    rows = [f"{one},{other},{2 * one - other:.3f}" for one, other in numbers]
    table = top / "private" / "houses.csv"
    table.write_text("\n".join(["rooms,a|b`c,price", *rows]))
    task, module = write_run(top / "run", compose, "hdqnn_table", f"dataset.path={table}", *HOUSES)
    assert export(f"run={top / 'run'}", f"to={top / 'small'}") == 0
    return top, task, module


def text_of(folder):
    return "".join((folder / name).read_text() for name in FILES - {"model.safetensors"})


def test_the_folder_holds_a_model_plain_config_result_and_card(moons):
    run, folder = moons
    assert {path.name for path in folder.iterdir()} == FILES
    own = read_checkpoint(run / "checkpoints" / "best.ckpt")["state_dict"]
    weights = load_file(folder / "model.safetensors")
    assert weights.keys() == own.keys() and all(value.equal(own[name]) for name, value in weights.items())
    described = json.loads((folder / "model.json").read_text())
    assert described["table"] == {"columns": ["x", "y"], "classes": ["0", "1"], "target": "moon"}
    assert (described["dataset"], described["kind"]) == ("moons", "classification")
    assert {*described["normalization"][0].values()} < weights.keys() and described["target_scaling"] is None
    (layer,) = described["quantum_layers"].values()
    assert (layer["outputs"], layer["shots"], layer["circuit"]) == (2, 20, "circuit.qasm")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert (config["run_dir"], config["paths"], config["logger"]) == (None, {"runs": "runs"}, {})
    assert str(run.parent) not in text_of(folder)


def test_the_card_has_the_scores_of_the_run(moons):
    run, folder = moons
    summary, card = json.loads((run / "summary.json").read_text()), (folder / "README.md").read_text()
    result = json.loads((folder / "result.json").read_text())
    assert result["run"]["test_accuracy"] == summary["test_accuracy"] and result["checkpoint"] == "best"
    assert (result["dataset"], result["fingerprint"]) == (summary["dataset"], summary["fingerprint"])
    for words in (f"accuracy {summary['test_accuracy']:.4f}", "130 to learn from", "complete, seed 0", "'small'"):
        assert words in card


def test_what_was_exported_can_be_exported_again(moons, export, tmp_path):
    assert export(f"run={moons[1]}", f"to={tmp_path / 'small'}") == 0
    for name in FILES:
        assert (tmp_path / "small" / name).read_bytes() == (moons[1] / name).read_bytes()


def test_it_is_tested_as_its_run_is_and_nothing_is_written_into_it(moons, evaluate, tmp_path, monkeypatch):
    run, folder = moons
    monkeypatch.chdir(tmp_path)
    assert evaluate(f"run={run}", "seed=3", "checkpoint=best") == evaluate(f"run={folder}", "seed=3") == 0
    (own,), (found,) = (run / "eval").glob("*.json"), tmp_path.glob("small-*.json")
    differs = {"checkpoint": None}
    assert json.loads(own.read_text()) | differs == json.loads(found.read_text()) | differs
    assert {path.name for path in folder.iterdir()} == FILES


def test_a_file_of_the_users_leaves_its_name_and_its_columns_alone(houses):
    top, task, _ = houses
    folder, config = top / "small", yaml.safe_load((top / "small" / "config.yaml").read_text())
    assert config["dataset"]["path"] == "houses.csv" and config["dataset"]["target"] == "price"
    text = text_of(folder)
    assert str(top) not in text and "private" not in text
    assert [value for value in task.table.inputs[:20].ravel().tolist() if f"{value:.3f}" in text] == []
    card = (folder / "README.md").read_text()
    for words in ("`houses.csv`", "dataset.path=houses.csv", "`price`, a number", "`rooms`, `a\\|b'c`", "did not end"):
        assert words in card
    described = json.loads((folder / "model.json").read_text())
    assert described["target_scaling"] == {"mean": "targets.mean", "deviation": "targets.std"}


def test_it_predicts_without_the_table_and_is_tested_with_it(houses, evaluate, refusal, export, tmp_path, monkeypatch):
    top, task, module = houses
    monkeypatch.chdir(tmp_path)
    folder, rows = shutil.copytree(top / "small", tmp_path / "small"), task.split.test.inputs
    expected = module.targets.undo(predict(module, rows, seed=4).squeeze(-1)).numpy()
    assert np.array_equal(qtrl.load(folder, seed=4).predict(rows), expected)
    told = refusal(evaluate, f"run={folder}")
    assert "dataset.path=houses.csv: there is no such file" in told and "take qtrl.load" in told
    shutil.copy(top / "private" / "houses.csv", tmp_path)
    assert evaluate(f"run={folder}") == 0
    (result,) = tmp_path.glob("small-*.json")
    assert json.loads(result.read_text())["test_rows"] == len(rows)
    (tmp_path / "houses.csv").write_text("rooms,a|b`c,price\n" + "1,2,3\n2,3,1\n3,4,5\n" * 9)
    assert "was not trained on this table" in refusal(evaluate, f"run={folder}")


def test_mistakes_are_told_in_one_line(moons, export, refusal, tmp_path):
    line, copy = partial(refusal, export), shutil.copytree(moons[1], tmp_path / "copy")
    assert "exists and is not empty" in line(f"run={moons[0]}", f"to={moons[1]}")
    assert "one set of weights" in line(f"run={copy}", "to=x", "checkpoint=best")
    (copy / "result.json").write_text(json.dumps({"env_steps": 1, "updates": 1, "run": 3}))
    assert "result.json is not what qtrl writes" in line(f"run={copy}", f"to={tmp_path / 'new'}")
    assert not (tmp_path / "new").exists()


@pytest.mark.slow  # `test_predictions.py` is its quick twin
@pytest.mark.parametrize("quantum", ["surrogate", "exact"])
def test_a_model_in_onnx_predicts_as_the_run_does(moons, export, capsys, tmp_path, quantum):
    path = tmp_path / "new" / "moons.onnx"
    assert export(f"run={moons[0]}", f"to={path}", f"quantum={quantum}") == 0
    report = json.loads(path.with_suffix(".json").read_text())
    assert report["quantum"] == quantum and report["table"]["columns"] == ["x", "y"]
    assert report["parity"]["source"] == "the table" and report["parity"]["rows"] == 200
    assert report["parity"]["onnxruntime_and_torch"]["largest"] < 1e-5
    assert 0 < report["parity"]["exact_and_surrogate"]["largest"] < 1
    assert "probabilities differ by at most" in capsys.readouterr().out
    rows = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (found,) = session.run(["probabilities"], {"rows": rows})
    assert found.shape == (6, 2) and np.allclose(found.sum(axis=1), 1, atol=1e-5)
    if quantum == "exact":
        assert np.abs(found - qtrl.load(moons[0], shots=1_000_000).predict_proba(rows)).max() < 0.02
