"""docs/sklearn.md: its code runs from top to bottom, and the classifier of its example learns."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "sklearn.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_code_of_the_page_runs_and_its_classifier_learns(capsys):
    names: dict = {}
    for block in BLOCKS:
        exec(compile(block, "docs/sklearn.md", "exec"), names)
    accuracies = [float(share) for share in re.findall(r"([\d.]+)%", capsys.readouterr().out)]
    assert len(accuracies) == 3
    assert min(accuracies) > 90


def test_code_of_the_page_runs_with_few_rows(monkeypatch):
    names: dict = {}
    for block in BLOCKS:
        quick = block.replace("max_iter=20", "max_iter=1").replace("return_X_y=True)", "return_X_y=True, n_class=2)")
        exec(compile(quick, "docs/sklearn.md", "exec"), names)
