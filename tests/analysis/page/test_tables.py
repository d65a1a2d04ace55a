import csv
import dataclasses
import math

import pytest

from qtrl.analysis.page.tables import format_levels, format_table, interval, number, write_table
from qtrl.analysis.statistics.levels import LevelRow, level_rows
from qtrl.analysis.statistics.table import Row, table
from qtrl.errors import RunFolderError


@pytest.fixture(scope="module")
def rows(study):
    runs = dict(study.runs) | {"one": study.runs["fc"][:1]}
    return table(dataclasses.replace(study, runs=runs), reference="pqc")


def test_the_csv_has_every_column_of_every_row_and_empty_cells_for_nan(rows, tmp_path):
    write_table(rows, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(rows)
    for row, line in zip(rows, lines, strict=True):
        assert list(line) == [field.name for field in dataclasses.fields(Row)]
        for name, value in dataclasses.asdict(row).items():
            if isinstance(value, str):
                assert line[name] == value
            else:
                assert line[name] == "" if math.isnan(value) else float(line[name]) == pytest.approx(value)
    assert lines[0]["p"] == lines[-1]["std"] == ""
    with pytest.raises(RunFolderError, match="cannot be written"):
        write_table([], tmp_path / "none" / "table.csv")


def test_the_markdown_table_is_aligned_and_has_no_nan(rows):
    lines = format_table(rows, reference="pqc").splitlines()
    assert len(lines) == 2 + len(rows) and len({len(line) for line in lines}) == 1
    assert all(line.startswith("|") and line.endswith("|") for line in lines)
    assert "better than pqc" in lines[0] and "nan" not in "".join(lines)
    assert f"{rows[1].mean:.1f}" in lines[3] and rows[1].verdict in lines[3]


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(-1234.56, 1, "\N{MINUS SIGN}1,234.6"), (0.125, 2, "0.12"), (math.nan, 1, "\N{EN DASH}"), (2e6, 0, "2,000,000")],
)
def test_numbers_as_written(value, digits, text):
    assert number(value, digits) == text


def test_an_interval_that_is_not_known_is_a_dash():
    assert interval(1, 2) == "1.0 to 2.0"
    assert interval(math.nan, 2) == "\N{EN DASH}"


def test_levels_are_a_table_of_their_own_with_empty_cells_where_they_were_not_reached(study, tmp_path):
    levels = level_rows(study, [-400, -160])
    write_table(levels, tmp_path / "levels.csv", LevelRow)
    with (tmp_path / "levels.csv").open(newline="") as file:
        lines = {(line["block"], line["level"]): line for line in csv.DictReader(file)}
    assert len(lines) == 2 * len(study.runs)
    assert lines["pqc", "-160"]["reached"] == "2" and 0 < float(lines["pqc", "-160"]["env_steps"]) <= 20_000
    assert (lines["shuffled", "-160"]["reached"], lines["shuffled", "-160"]["env_steps"]) == ("0", "")
    text = format_levels(levels)
    assert "0 of 3" in text and "nan" not in text


def test_a_table_of_models_has_no_starts(model_study):
    rows = table(model_study, reference="pqc")
    text = format_table(rows, reference="pqc", measure=model_study.measure)
    assert "same starts" not in text and "| 0.9" in text
    assert "examples_seen" in format_levels(level_rows(model_study, [0.74]), model_study.measure)
