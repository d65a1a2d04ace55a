"""docs/layers.md: its code runs from top to bottom, as the page says, and the model of its example learns."""

import re
from pathlib import Path

import torch

PAGE = (Path(__file__).parent.parent / "docs" / "layers.md").read_text(encoding="utf-8")


def test_the_code_of_the_page_runs_in_its_order_and_its_example_learns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    with torch.random.fork_rng():
        for block in re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL):
            exec(compile(block, "docs/layers.md", "exec"), names)
    assert names["accuracy"] > 0.97
    assert (tmp_path / "model.pt").is_file()
