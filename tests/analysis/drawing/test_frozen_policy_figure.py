import csv

import numpy as np
import pytest

from qtrl.analysis.drawing.frozen_policy import columns, draw_frozen_policy, print_table, write_conditions
from qtrl.analysis.statistics.paired import compare_paired
from qtrl.errors import RunFolderError

OWN = np.linspace(-300, -100, 20)
NOISE = np.random.default_rng(0).normal(size=20)
TESTED = [
    compare_paired("own", OWN, OWN, seed=0),
    compare_paired("exact", OWN + NOISE, OWN, seed=0),
    compare_paired("zeros", OWN - 800 + 50 * NOISE, OWN, seed=0, uninformed=True),
]


def test_the_table_has_a_row_for_each_condition_and_says_whose_episodes_they_are(capsys):
    print_table(TESTED, title="a [run]")
    printed = capsys.readouterr().out
    words = " ".join(printed.split())
    assert "a [run]" in words
    assert "20 episodes begun alike" in words
    assert "episodes of one policy: a statement about this policy" in words
    rows = {line.split()[0]: line for line in printed.splitlines() if line.strip()}
    assert "-200.0 ± 60.7" in rows["own"]
    assert "not distinguishable" in rows["exact"]
    assert f"costs {-TESTED[2].difference:.1f}" in rows["zeros"]
    assert f"[{TESTED[2].low:.1f}, {TESTED[2].high:.1f}]" in rows["zeros"]


def test_the_csv_has_every_digit(tmp_path):
    write_conditions(TESTED, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == columns()
    assert [row["condition"] for row in rows] == ["own", "exact", "zeros"]
    for row, paired in zip(rows, TESTED, strict=True):
        assert [float(row[name]) for name in ("return_mean", "difference", "low", "high")] == [
            *(paired.return_mean, paired.difference, paired.low, paired.high)
        ]
        assert (row["n"], row["uninformed"], row["finding"]) == ("20", str(paired.uninformed).lower(), paired.finding)


@pytest.mark.parametrize("shown", [TESTED, TESTED[:2], TESTED[::2], TESTED[:1]])
def test_any_of_both_groups_can_be_drawn(shown, tmp_path):
    draw_frozen_policy(shown, tmp_path / "a.png", title="a $ run")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(RunFolderError, match="cannot be written"):
        draw_frozen_policy(TESTED, tmp_path / "absent" / "a.png", title="a run")
