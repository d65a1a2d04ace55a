"""Every script imports what there is; what it measures is run by hand."""

import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("test_"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_imports(name):
    assert importlib.import_module(name).__doc__
