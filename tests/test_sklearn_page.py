"""docs/sklearn.md: its code runs from top to bottom, and the classifier of its example learns."""

import re

import pytest
from pages import page_blocks, run_blocks, run_page


def printed_shares(capsys):
    """The percentages that the page printed."""
    return [float(share) for share in re.findall(r"([\d.]+)%", capsys.readouterr().out)]


@pytest.mark.slow
def test_code_of_the_page_runs_and_its_classifier_learns(capsys):
    run_page("sklearn.md")
    accuracies = printed_shares(capsys)
    assert len(accuracies) == 3
    assert min(accuracies) > 90


def test_code_of_the_page_runs_with_few_rows(capsys):
    few = {"max_iter=20": "max_iter=1", "return_X_y=True)": "return_X_y=True, n_class=2)"}
    blocks = page_blocks("sklearn.md")
    for long, short in few.items():
        assert any(long in block for block in blocks)
        blocks = [block.replace(long, short) for block in blocks]
    run_blocks("sklearn.md", blocks)
    shares = printed_shares(capsys)
    assert len(shares) == 3 and all(0 <= share <= 100 for share in shares)
