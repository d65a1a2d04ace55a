"""Models of tables that were exported: what is read of their folder is checked first."""

import json
import re
import shutil

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from untrained_model import write_run

import qtrl
from qtrl.errors import CheckpointError, ConfigError, QtrlError
from qtrl.files.tensors import read_tensors

ROWS = np.random.default_rng(0).normal(size=(50, 2))


@pytest.fixture(scope="module")
def run(compose, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    folder.mkdir()
    write_run(folder, compose, "hdqnn_moons", "dataset.rows=200", "model.layers=2")
    return folder


@pytest.fixture(scope="module")
def exported(run, export):
    assert export(f"run={run}", f"to={run.parent / 'model'}") == 0
    return run.parent / "model"


@pytest.fixture
def model(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "model")


def test_the_same_seed_gives_the_same_predictions_as_the_run_bit_for_bit(run, model):
    one, other = qtrl.load(run, seed=5), qtrl.load(model, seed=5)
    assert np.array_equal(one.predict_proba(ROWS), other.predict_proba(ROWS))
    assert np.array_equal(one.predict(ROWS), other.predict(ROWS))
    for name in ("columns", "classes", "target", "examples_seen"):
        assert getattr(one, name) == getattr(other, name)


def test_shots_and_engine_may_be_others(model):
    found = qtrl.load(model, engine="reference", shots=7)
    block = found.network.model.stages[0].layer.block
    assert (block.executable.engine, block.shots) == ("reference", 7)


def test_there_is_one_set_of_weights(model):
    with pytest.raises(ConfigError, match="has one set of weights: leave it out"):
        qtrl.load(model, checkpoint="best")


@pytest.mark.parametrize("kept", [4, 100, 0.5, -1])
def test_truncated_weights_are_told_in_one_line(model, kept):
    whole = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    with pytest.raises(CheckpointError, match=r"model.safetensors is no file of safetensors, or damaged"):
        qtrl.load(model)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("result.json", b"{}", "env_steps is None, expected a count"),
        ("config.yaml", b"a: &b c", "anchor"),
        ("model.json", b"{", "not JSON"),
        ("model.json", b"[]", "no JSON object"),
        ("model.json", b"{}", "has the format None, expected a whole number from 1 to 1"),
        ("model.json", b'{"format": 2, "versions": {"qtrl": "9.1"}}', "by qtrl '9.1'; .*: install a later qtrl"),
        ("model.json", b'{"format": 1}', "model.json does not name the columns of its table"),
    ],
)
def test_damaged_files_are_told_in_one_line(model, name, content, words):
    (model / name).write_bytes(content)
    with pytest.raises(QtrlError) as caught:
        qtrl.load(model)
    assert re.search(words, told := str(caught.value)) and str(model) in told and "\n" not in told


@pytest.mark.parametrize("name", ["model.json", "result.json"])
def test_a_missing_file_is_named(model, name):
    (model / name).unlink()
    with pytest.raises(CheckpointError, match=f"there is no .*{name}"):
        qtrl.load(model)


def test_edited_shapes_are_told(model):
    weights = load_file(model / "model.safetensors")
    weights["inputs.mean"] = weights["inputs.mean"].repeat(2)
    save_file(weights, model / "model.safetensors")
    with pytest.raises(
        CheckpointError, match=r"another architecture: 'inputs.mean' is \(4,\) there and \(2,\) in this"
    ):
        qtrl.load(model)


def test_edited_columns_are_told(model):
    described = json.loads((model / "model.json").read_text())
    described["table"]["columns"].append("z")
    (model / "model.json").write_text(json.dumps(described))
    with pytest.raises(CheckpointError, match="belongs to another architecture"):
        qtrl.load(model)


def test_weights_of_an_agent_are_no_model(model):
    weights = read_tensors(model / "model.safetensors")
    (model / "model.safetensors").unlink()
    save_file(weights, model / "agent.safetensors")
    with pytest.raises(CheckpointError, match="does not name the columns of its table"):
        qtrl.load(model)
