import os
import subprocess
import sys

import numpy as np
import pandas
import pytest
import torch
from pages import page_blocks, run_blocks
from untrained_model import write_run

import qtrl
from qtrl.callbacks.examples import predict, scale_of
from qtrl.errors import CheckpointError, ConfigError, DataError, ShapeError


@pytest.fixture(scope="module")
def make_run(compose, tmp_path_factory):
    """Write the folder of a run that was never trained, and return it with the run's task and module."""

    def make(experiment, *overrides, **changed):
        folder = tmp_path_factory.mktemp("runs")
        return folder, *write_run(folder, compose, experiment, *overrides, **changed)

    return make


@pytest.fixture(scope="module")
def moons(make_run):
    return make_run("hdqnn_moons", "dataset.rows=200", "model.layers=2")


@pytest.fixture(scope="module")
def diabetes(make_run):
    return make_run("hdqnn_diabetes")


def test_classes_are_predicted_as_in_a_test(moons):
    folder, task, module = moons
    rows, model = task.split.test.inputs, qtrl.load(folder, seed=5)
    expected = predict(module, rows, seed=5).softmax(dim=1).numpy()
    assert np.allclose(model.predict_proba(rows.numpy()), expected, atol=1e-6)
    model.seed(5)
    assert model.predict(rows).tolist() == [task.table.classes[place] for place in expected.argmax(axis=1)]
    assert (model.columns, model.classes, model.target) == (task.table.columns, ("0", "1"), task.table.target)
    assert model.examples_seen == 130


def test_numbers_are_predicted_in_the_units_of_the_target(diabetes):
    folder, task, module = diabetes
    rows = task.split.test.inputs
    expected = scale_of(module).undo(predict(module, rows, seed=0).squeeze(-1)).numpy()
    found = qtrl.load(folder).predict(rows.numpy())
    assert found.shape == (len(rows),) and np.allclose(found, expected, rtol=1e-5)
    with pytest.raises(DataError, match="is a number, which has no probabilities"):
        qtrl.load(folder).predict_proba(rows.numpy())


def test_a_data_frame_may_have_its_columns_in_any_order(make_run):
    folder, task, _ = make_run("hdqnn_moons", "dataset.rows=200", "block.readout=expectation")
    rows, model = task.split.test.inputs.numpy(), qtrl.load(folder)
    frame = pandas.DataFrame(rows, columns=task.table.columns)[[*task.table.columns[::-1]]]
    assert np.array_equal(model.predict_proba(frame), model.predict_proba(rows))
    with pytest.raises(DataError, match=f"the data frame lacks the column {task.table.columns[0]!r}"):
        model.predict(frame.iloc[:, :1])


def test_engine_shots_and_readout_error_may_be_others(moons):
    model = qtrl.load(moons[0], engine="reference", shots=7, readout_error=0.5)
    block = model.network.model.stages[0].layer.block
    assert (block.executable.engine, block.shots) == ("reference", 7)
    assert model.predict_proba(np.zeros((3, 2))).shape == (3, 2)


def test_seeds_repeat_draws_and_leave_the_global_stream_alone(moons):
    before, rows = torch.get_rng_state(), np.random.default_rng(0).normal(size=(9, 2))
    one, other = qtrl.load(moons[0], seed=1), qtrl.load(moons[0], seed=2)
    first = one.predict_proba(rows)
    one.seed(1)
    assert np.array_equal(one.predict_proba(rows), first)
    assert not np.array_equal(other.predict_proba(rows), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_no_rows_give_no_predictions(moons):
    model = qtrl.load(moons[0])
    assert model.predict(np.zeros((0, 2))).shape == (0,) and model.predict_proba(np.zeros((0, 2))).shape == (0, 2)


def test_rows_that_do_not_fit_are_refused(moons):
    model = qtrl.load(moons[0])
    with pytest.raises(ShapeError, match=r"rows have shape \(2,\), expected \(N, 2\): one row is \(1, 2\)"):
        model.predict([0.5, 0.5])
    with pytest.raises(DataError, match="row 0 has nan in column"):
        model.predict([[np.nan, 0.5]])


@pytest.mark.parametrize("table", [None, {"columns": ["a"], "classes": [1]}, {"columns": [], "classes": []}, "x"])
def test_a_checkpoint_that_does_not_name_its_columns_is_refused(table, make_run):
    folder = make_run("hdqnn_moons", "dataset.rows=200", table=table)[0]
    with pytest.raises(CheckpointError, match="does not name the columns of its table"):
        qtrl.load(folder)


def test_a_checkpoint_of_another_size_is_refused(moons, make_run):
    names = {"columns": ["a", "b", "c"], "classes": ["0", "1"], "target": "y"}
    with pytest.raises(CheckpointError, match="belongs to another architecture"):
        qtrl.load(make_run("hdqnn_moons", "dataset.rows=200", table=names)[0])


def test_a_run_without_a_circuit_has_no_engine(make_run):
    folder = make_run("hdqnn_moons", "dataset.rows=200", "block=fc")[0]
    assert qtrl.load(folder).predict(np.zeros((2, 2))).shape == (2,)
    with pytest.raises(ConfigError, match="engine: this run's block has no circuit"):
        qtrl.load(folder, engine="reference")


CODE = """if True:
    import sys, qtrl
    model = qtrl.load(sys.argv[1])
    print(model.predict([[0.1, 0.2]]).shape, *{"hydra", "lightning", "wandb", "sklearn"} & sys.modules.keys())
"""


def test_neither_hydra_nor_lightning_is_imported(moons):
    done = subprocess.run([sys.executable, "-c", CODE, os.fspath(moons[0])], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "(1,)"


def test_the_lines_of_the_page_run(moons, capsys):
    (block,) = (block for block in page_blocks("supervised.md") if "runs/NAME" in block)
    run_blocks("supervised.md", [block.replace("runs/NAME", os.fspath(moons[0]))])
    assert "('0', '1')" in capsys.readouterr().out
