"""The Python code of the pages in `docs/`."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent / "docs"


def page_text(name: str) -> str:
    """Return a page by its file name."""
    return (DOCS / name).read_text(encoding="utf-8")


def page_blocks(name: str) -> list[str]:
    """Return the Python blocks of a page, in its order."""
    return re.findall(r"^```python\n(.*?)^```$", page_text(name), flags=re.MULTILINE | re.DOTALL)


def run_blocks(name: str, blocks: Iterable[str]) -> dict[str, Any]:
    """Run blocks of a page one after the other, and return the names that they leave."""
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks:
        exec(compile(block, f"docs/{name}", "exec"), names)
    return names


def run_page(name: str) -> dict[str, Any]:
    """Run the code of a page from top to bottom, and return the names that it leaves."""
    return run_blocks(name, page_blocks(name))
