import numpy as np
import pytest

from qtrl.data.tables import files, table_file
from qtrl.errors import DataError

GOOD = "age,height,city,bought\n" + "".join(
    f"{20 + i},{1.5 + i / 10},Rome,{'yes' if i % 2 else 'no'}\n" for i in range(8)
)


@pytest.fixture
def written(tmp_path):
    def write(text, name="people.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def test_a_file_becomes_inputs_and_classes(written):
    table = table_file(written(GOOD), "bought", drop=["city"])
    assert (table.columns, table.classes, table.kind) == (("age", "height"), ("no", "yes"), "classification")
    assert table.inputs.dtype == np.float32 and table.inputs[1].tolist() == pytest.approx([21, 1.6])
    assert table.targets.tolist() == [0, 1] * 4
    assert not table.notes


def test_a_number_is_predicted_where_the_kind_says_so(written):
    table = table_file(written(GOOD), "height", "regression", drop=["city", "bought"])
    assert (table.classes, table.n_outputs) == ((), 1)
    assert table.targets[:2].tolist() == pytest.approx([1.5, 1.6])


def test_parquet_is_read_as_csv_is(written, tmp_path):
    import pandas

    path = tmp_path / "people.parquet"
    pandas.read_csv(written(GOOD)).to_parquet(path)
    one, other = (table_file(str(p), "bought", drop=["city"]) for p in (path, written(GOOD)))
    assert one.fingerprint == other.fingerprint


def test_numbers_as_text_and_truth_values_are_numbers(written):
    text = "a,b,t\n" + "".join(f"True,{i}.5,{i % 2}\nFalse,-{i},{i % 2}\n" for i in range(4))
    table = table_file(written(text), "t")
    assert set(table.inputs[:, 0].tolist()) == {0.0, 1.0}
    assert table.classes == ("0", "1")


def test_what_a_reader_should_know_is_noted(written):
    text = "a,b,t\n" + "".join(f"{i},7,{i % 2}\n" for i in range(8)) + "9,7,\n"
    table = table_file(written(text), "t")
    assert len(table.targets) == 8
    assert any("1 rows without 't'" in note for note in table.notes)
    assert any("'b', which never changes" in note for note in table.notes)


def test_missing_values_are_kept_for_the_split_where_that_was_asked_for(written):
    text = "a,b,t\n" + "".join(f"{'' if i == 3 else i},{i},{i % 2}\n" for i in range(8))
    assert np.isnan(table_file(written(text), "t", missing="mean").inputs).sum() == 1


ROWS = "".join(f"{i},{i % 2}\n" for i in range(8))
WRONG = {
    "no target column": (GOOD, {"target": "bougth"}, "bougth is no column of people.csv: did you mean 'bought'"),
    "no dropped column": (GOOD, {"drop": ["town"]}, "dataset.drop=town is no column"),
    "target dropped": (GOOD, {"drop": ["city", "bought"]}, "which is dataset.target"),
    "no target": (GOOD, {"target": None}, "dataset.target is null"),
    "text": (GOOD, {}, "column 'city' holds 'Rome' in row 1, expected numbers.*dataset.drop=\\[city\\]"),
    "text below numbers": ("a,t\n" + ROWS + "old,1\n", {"target": "t"}, "column 'a' holds 'old' in row 9"),
    "one class": ("a,t\n1,x\n2,x\n3,x\n", {"target": "t"}, "has one class only, 'x'"),
    "a rare class": ("a,t\n" + ROWS + "3,5\n", {"target": "t"}, "fewer than 3 rows have 't' '5'"),
    "missing": (
        "a,b,t\n" + "".join(f"{i},,{i % 2}\n1,2,1\n" for i in range(4)),
        {"target": "t"},
        r"lacks values in b \(4\)",
    ),
    "an empty column": (
        "a,b,t\n" + "".join(f"{i},,{i % 2}\n" for i in range(6)),
        {"target": "t"},
        "no value at all in 'b'",
    ),
    "infinite": ("a,t\n" + ROWS + "inf,1\n", {"target": "t"}, "infinite values.*'a'"),
    "too large for float32": ("a,t\n" + ROWS + "1e60,1\n", {"target": "t"}, "beyond 3e38, in 'a'"),
    "text to predict": (GOOD, {"kind": "regression", "drop": ["city"]}, "set dataset.kind=classification"),
    "nothing to predict": ("a,t\n1,3\n2,3\n", {"target": "t", "kind": "regression"}, "is 3 in every row"),
    "an infinite target": ("a,t\n1,3\n2,inf\n", {"target": "t", "kind": "regression"}, "has infinite values"),
    "no target at all": ("a,t\n1,\n2,\n", {"target": "t"}, "'t' has no value in any row"),
    "doubled header": ("a,a,t\n1,2,3\n", {"target": "t"}, "has the column 'a' twice"),
    "header alone": ("a,t\n", {"target": "t"}, "has a header and no rows"),
    "target alone": ("t\n1\n0\n", {"target": "t"}, "no column beside 't'"),
    "empty": ("", {}, "is empty"),
    "a cell more than names in every row": (
        "a,b,t\n" + "".join(f"{i},{10 * i},{7 * i},{i % 2}\n" for i in range(8)),
        {"target": "t"},
        "more cells than its header has names",
    ),
    "ragged": ("a,t\n1,2\n1,2,3,4\n", {"target": "t"}, "is no table"),
    "not text": (b"\xff\xfe\x00a,b\n", {}, "is not text in UTF-8"),
    "unknown kind": (GOOD, {"kind": "clustering"}, "dataset.kind=clustering is unknown"),
    "unknown missing": (GOOD, {"missing": "drop"}, "dataset.missing=drop is unknown"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_learned_from_is_refused_in_one_line(case, written):
    text, options, said = WRONG[case]
    with pytest.raises(DataError, match=said) as error:
        table_file(written(text), **{"target": "bought", **options})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [("people.xlsx", "expected a file ending with .csv or .parquet"), ("cut.parquet", "no Parquet file")],
)
def test_other_files_are_refused(name, said, written):
    with pytest.raises(DataError, match=said):
        table_file(written(GOOD, name), "bought")


def test_a_file_that_is_not_there_or_no_file_is_named(tmp_path):
    for path in (None, str(tmp_path / "none.csv"), str(tmp_path)):
        with pytest.raises(DataError, match="dataset.path"):
            table_file(path, "bought")


def test_a_file_that_is_too_large_is_not_even_opened(written, monkeypatch):
    monkeypatch.setattr(files, "LARGEST", 100)
    monkeypatch.setattr(files, "_read_csv", None)
    with pytest.raises(DataError, match="expected at most 100: it is read into memory whole"):
        table_file(written(GOOD), "bought")
