import re
import tomllib
import warnings
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from pages import page_blocks, page_text, run_blocks

from qtrl.keys import METRICS, SCORES, example_metrics

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
GROUPS = {"core": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
SUITES = {*GROUPS["dm_control"], *GROUPS["robotics"]}
"""They need another MuJoCo than the rest, and are pinned beside their tests."""
REQUIREMENTS = {text: Requirement(text) for group in GROUPS.values() for text in group}


def first_cells(page: str) -> list[str]:
    """The code in the first column of the tables of a page."""
    return re.findall(r"^\| `([^`]+)` \|", page_text(page), flags=re.MULTILINE)


def test_metrics_page_defines_every_metric_once_in_the_order_of_the_columns() -> None:
    assert first_cells("metrics.md") == list(METRICS)


def test_page_of_supervised_learning_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = (block for block in page_blocks("supervised.md") if "runs/" not in block)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Lightning, on workers and bars
        run_blocks("supervised.md", [block])
    assert 0 <= float(capsys.readouterr().out.split()[-1]) <= 1


@pytest.mark.parametrize("kind", SCORES)
def test_page_of_supervised_learning_names_every_metric(kind: str) -> None:
    text = page_text("supervised.md")
    assert kind in text
    assert [name for name in example_metrics(kind) if f"`{name}`" not in text] == []


def test_dependencies_page_names_every_direct_dependency_in_order() -> None:
    assert first_cells("dependencies.md") == [requirement.name for requirement in REQUIREMENTS.values()]


@pytest.mark.parametrize("text", REQUIREMENTS)
def test_constraints_pin_a_version_that_satisfies(text: str) -> None:
    file = "tests/envs/suites.txt" if text in SUITES else "constraints.txt"
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    requirement = REQUIREMENTS[text]
    assert pins[requirement.name.lower()] in requirement.specifier


def test_reliability_page_names_tests_that_there_are() -> None:
    text = page_text("reliability.md")
    strangers = text.partition("(`security/`)")[2].partition("## ")[0]
    named = {name for name in re.findall(r"`([\w/]*test_\w+\.py)`", text.replace(strangers, ""))}
    named |= {name if "/" in name else f"security/{name}" for name in re.findall(r"`([\w/]*test_\w+\.py)`", strangers)}
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / "tests" / name).is_file()] == []
