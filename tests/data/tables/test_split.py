import numpy as np
import pytest
import torch

from qtrl.data.tables import breast_cancer, diabetes, digits, make_table, moons, split_table
from qtrl.errors import DataError

SHARES = {"validation": 0.15, "test": 0.2}


def table_of(labels, inputs=None, **options):
    inputs = np.arange(2.0 * len(labels)).reshape(-1, 2) if inputs is None else inputs
    return make_table("toy", ("a", "b"), inputs, np.asarray(labels), kind="classification", target="t", **options)


@pytest.mark.parametrize(
    ("make", "columns", "outputs"), [(digits, 64, 10), (breast_cancer, 30, 2), (diabetes, 10, 1), (moons, 2, 2)]
)
def test_bundled_tables_split_into_parts_that_share_no_row(make, columns, outputs):
    table = make()
    split = split_table(table, **SHARES, seed=0)
    rows = torch.cat([split.train.rows, split.validation.rows, split.test.rows])
    assert rows.sort().values.tolist() == list(range(len(table.targets)))
    assert split.train.inputs.shape == (len(split.train), columns)
    assert (table.n_outputs, table.kind) == (outputs, "regression" if outputs == 1 else "classification")
    assert len(split.test) == pytest.approx(0.2 * len(rows), abs=1)


def test_each_part_has_its_share_of_each_class():
    split = split_table(table_of(["x"] * 80 + ["y"] * 20), **SHARES, seed=3)
    for part in (split.train, split.validation, split.test):
        assert part.targets.double().mean().item() == pytest.approx(0.2, abs=0.02)


def test_a_split_repeats_with_its_seed_alone():
    table = table_of(["x", "y"] * 50)
    one, same, other = (split_table(table, **SHARES, seed=seed).test.rows.tolist() for seed in (0, 0, 1))
    assert one == same != other


def test_missing_values_become_the_mean_of_training_rows():
    inputs = np.arange(80.0).reshape(40, 2)
    inputs[::4, 0] = np.nan
    split = split_table(table_of(["x", "y"] * 20, inputs, may_lack=True), **SHARES, seed=0)
    train = split.train
    known = [row for row in train.rows.tolist() if row % 4]
    expected = np.mean([2.0 * row for row in known])
    filled = torch.cat([part.inputs[part.rows % 4 == 0, 0] for part in (train, split.validation, split.test)])
    assert filled.tolist() == pytest.approx([expected] * 10)


def test_a_column_without_a_value_in_training_is_named():
    inputs = np.arange(80.0).reshape(40, 2)
    tested = split_table(table_of(["x", "y"] * 20, inputs), **SHARES, seed=0).test.rows
    inputs[np.setdiff1d(np.arange(40), tested), 1] = np.nan
    with pytest.raises(DataError, match="has no value in any training row: leave it out by dataset.drop="):
        split_table(table_of(["x", "y"] * 20, inputs, may_lack=True), **SHARES, seed=0)


@pytest.mark.parametrize(
    ("labels", "shares", "said"),
    [
        (["x"] * 30 + ["y"] * 3, {"validation": 0.15, "test": 0.03}, "cannot be split"),
        (["x", "y"] * 20, {"validation": 0.0, "test": 0.2}, "each above 0, together below 1"),
        (["x", "y"] * 20, {"validation": 0.6, "test": 0.4}, "each above 0, together below 1"),
    ],
)
def test_shares_that_leave_a_part_without_rows_are_refused(labels, shares, said):
    with pytest.raises(DataError, match=said):
        split_table(table_of(labels), **shares, seed=0)
