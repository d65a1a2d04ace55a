import numpy as np
import pandas
import pytest
import torch

from qtrl.errors import DataError, QtrlError, ShapeError
from qtrl.loaded.rows import as_rows

COLUMNS = ("a", "b")


@pytest.mark.parametrize("rows", [[[1, 2], [3, 4]], torch.tensor([[1.0, 2], [3, 4]], requires_grad=True)])
def test_what_numpy_reads_are_rows(rows):
    found = as_rows(rows, COLUMNS)
    assert found.dtype == np.float32 and found.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("rows", [[1.0, 2.0], np.zeros((2, 3)), np.zeros((1, 2, 2)), 0.5, "north", None, [[1], [2, 3]]])
def test_another_shape_is_refused(rows):
    with pytest.raises(ShapeError, match=r"rows (have shape .*|are a .*)\(N, 2\)"):
        as_rows(rows, COLUMNS)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_values_that_no_network_can_read_are_named(value):
    with pytest.raises(DataError, match="row 1 has .* in column 'b'"):
        as_rows([[0, 0], [0, value]], COLUMNS)


def test_columns_of_a_data_frame_may_be_in_any_order():
    frame = pandas.DataFrame({"b": pandas.array([2, 4], "Int64"), "a": [True, False]})
    assert as_rows(frame, COLUMNS).tolist() == [[1, 2], [0, 4]]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"a": [1.0]}, "lacks the column 'b': expected the 2 of the table"),
        ({"a": [1.0], "b": [1.0], "y": [0], "z": [0]}, "has more than the column 'y', 'z'"),
        ({"a": ["north"], "b": [1.0]}, "column 'a' holds .* values that are no numbers"),
        ({"a": [None], "b": [1.0]}, "row 0 has nan in column 'a'"),
        ({0: [1.0], 1: [1.0]}, "lacks the column 'a', 'b'"),
    ],
)
def test_other_columns_are_named(data, words):
    with pytest.raises(QtrlError, match=words) as told:
        as_rows(pandas.DataFrame(data), COLUMNS)
    assert "\n" not in str(told.value)


def test_a_doubled_column_is_named():
    with pytest.raises(DataError, match="has twice the column 'a'"):
        as_rows(pandas.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]), COLUMNS)
