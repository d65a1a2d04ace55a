import ast
from pathlib import Path

import pytest

import qtrl

PACKAGE = Path(qtrl.__file__).parent
UNPICKLING = {"load_memmap", "load_from_checkpoint", "loads"}
"""Methods of TorchRL, tensordict and Lightning. Ruff bans functions by their full name, but cannot tell the class of an
object; see `banned-api` in `pyproject.toml`."""


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_method_that_unpickles_a_file_is_called(path):
    attributes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)]
    found = {ast.unparse(node) for node in attributes if node.attr in UNPICKLING}
    assert found <= {"json.loads"}
