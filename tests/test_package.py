import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import qtrl

ROOT = Path(__file__).resolve().parent.parent
FILES = [path.relative_to(ROOT).with_suffix("") for path in sorted((ROOT / "qtrl").rglob("*.py"))]
MODULES = [".".join(path.parts).removesuffix(".__init__") for path in FILES]


def packages_loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split())


def test_importing_qtrl_loads_the_standard_library_alone() -> None:
    loaded = packages_loaded_by("import qtrl") - packages_loaded_by("pass")
    assert loaded - sys.stdlib_module_names == {"qtrl"}


def test_importing_the_layers_loads_no_optional_package() -> None:
    loaded = packages_loaded_by("import qtrl.quantum, qtrl.surrogate, qtrl.nn")
    assert not loaded & {"gymnasium", "hydra", "lightning", "mujoco", "qiskit", "torchquantum", "torchrl", "wandb"}


@pytest.mark.parametrize("name", MODULES)
def test_every_module_imports(name: str) -> None:
    assert importlib.import_module(name).__doc__


def test_version_is_the_one_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert qtrl.__version__ == project["version"]
