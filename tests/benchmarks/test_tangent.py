import json
import math
from dataclasses import asdict, replace
from itertools import pairwise

import pytest
import tangent
import tangent_training
from frozen_layer import LETTER, RECIPE
from tangent_circuits import needed
from tangent_grid import ALONE, AXES, QuickSize, around, ladder
from tangent_report import TABLES, estimate

PAGE = "\n".join(f"by hand\n<!-- {name} -->\nold\n<!-- end of {name} -->" for name in TABLES)


@pytest.fixture
def small(monkeypatch):
    """A part of the grid, without the numbers of hours."""
    monkeypatch.setattr("tangent_grid.STEPS", [("letter", {}), ("recipe", asdict(RECIPE))])
    monkeypatch.setattr("tangent_grid.ALONE", ALONE[:1])
    monkeypatch.setattr("tangent_grid.AXES", {axis: cells[:2] for axis, cells in AXES.items()})


def test_the_ladder_leads_from_the_letter_to_the_recipe_by_one_change_at_a_time():
    settings = [setting for _, setting in ladder()]
    assert (settings[0], settings[-1]) == (LETTER, RECIPE)
    changes = [{k for k in asdict(a) if asdict(a)[k] != asdict(b)[k]} for a, b in pairwise(settings)]
    assert all(len(change - {"angle_bound"}) == 1 for change in changes)


def test_every_numeric_axis_holds_the_recipe():
    assert all(RECIPE in [setting for _, setting in cells] for axis, cells in around().items() if "part" not in axis)


@pytest.mark.parametrize(
    ("target", "effort"), [(0.5, (100, True)), (1 / math.sqrt(2), (300, True)), (0.99, (1000, False))]
)
def test_needed_effort_follows_the_noise(target, effort):
    noise_at_one = 300.0
    cosines = {n: 1 / math.sqrt(1 + noise_at_one / n) for n in (1, 10, 100, 1000)}
    assert needed(cosines, target) == pytest.approx(effort)


def test_an_estimate_names_few_seeds():
    assert estimate([0.5] * 5) == "0.500 ± 0.000"
    assert estimate([0.5] * 3).endswith("(3 seeds)")


def test_the_command_measures_what_is_missing_and_fills_the_page_in(small, tmp_path, monkeypatch):
    (tmp_path / "tangent.md").write_text(PAGE)
    tangent.main(["--out", str(tmp_path), "--quick", "--threads", "1"])
    record = json.loads((tmp_path / "tangent.json").read_text())
    page = (tmp_path / "tangent.md").read_text()
    assert page.count("by hand") == len(TABLES)
    assert "old" not in page
    assert "| **recipe** |" in page
    assert (tmp_path / "tangent.png").stat().st_size > 1000
    monkeypatch.setattr(tangent, "measure", None)  # nothing is measured again
    monkeypatch.setattr(tangent, "gradients", None)
    tangent.main(["--out", str(tmp_path), "--quick", "--threads", "1"])
    assert json.loads((tmp_path / "tangent.json").read_text())["fitted"] == record["fitted"]


def test_a_record_of_another_size_is_refused(tmp_path):
    size = asdict(replace(QuickSize(), pairs=1))
    (tmp_path / "tangent.json").write_text(json.dumps({"size": size}))
    with pytest.raises(SystemExit, match="another size"):
        tangent.main(["--out", str(tmp_path), "--quick"])


def test_the_table_of_training_has_the_means_of_the_probes_that_count(tmp_path):
    run = tmp_path / "qtdnn_local" / "seed3"
    run.mkdir(parents=True)
    names = ["env_steps", *(f"probe/{name}" for name in tangent_training.COLUMNS)]
    rows = [[5_000, *[-1] * 5], [9_000, *[""] * 5], [10_000, 0.5, 0.7, 0.1, 2, 1], [12_500, 0.7, 0.9, 0.3, 3, 2]]
    lines = [",".join(map(str, row)) for row in (names, *rows)]
    (run / "metrics.csv").write_text("\n".join(lines) + "\n")
    assert tangent_training.table(tmp_path).splitlines()[2:] == [
        "| `qtdnn_local` | 3 | 12,500 | 0.60 | 0.80 | 0.20 | 2.50 | 1.50 |"
    ]
    page = "a <!-- training --> old <!-- end of training --> b"
    assert tangent_training.filled_in(page, "training", "new") == page.replace(" old ", "\n\nnew\n\n")


def test_the_table_of_ablations_says_used_where_each_uninformed_condition_costs(tmp_path):
    others = [name for name in tangent_training.CONDITIONS]
    for seed, high in enumerate((-0.5, 0.5)):
        rows = [["own", 100, 10, 0, 0, "false"], *([name, 90, 10, -10, high, "true"] for name in others)]
        head = ["condition", "return_mean", "return_std", "difference", "high", "uninformed"]
        text = "\n".join(",".join(map(str, row)) for row in (head, *rows))
        (tmp_path / f"qtdnn_local_seed{seed}.csv").write_text(text + "\n")
    used, unused = tangent_training.ablations(tmp_path).splitlines()[2:]
    assert used == f"| `qtdnn_local` | 0 | 100 ± 10 | {'-10 | ' * len(others)}used |"
    assert unused.endswith("| not shown |")
