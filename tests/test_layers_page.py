"""docs/layers.md: its code runs from top to bottom, as the page says, and the model of its example learns."""

import torch
from pages import run_page


def test_the_code_of_the_page_runs_in_its_order_and_its_example_learns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng():
        names = run_page("layers.md")
    assert names["accuracy"] > 0.97
    assert (tmp_path / "model.pt").is_file()
