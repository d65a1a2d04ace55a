"""What made a result: versions, machine and commit."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import qtrl
from qtrl.specs import EnvSpec

PACKAGES = (
    *("torch", "lightning", "torchrl", "tensordict", "gymnasium", "mujoco", "torchquantum-ng"),
    *("numba", "llvmlite", "numpy", "wandb"),
)


def versions() -> dict[str, str]:
    """Return the versions of Python, qtrl and what it stands on."""
    found = {"python": platform.python_version(), "qtrl": qtrl.__version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def git_commit() -> str | None:
    """Return the commit of the checkout that qtrl runs from, `-dirty` where files differ; None for an installed one."""
    root = Path(qtrl.__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    try:
        command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def provenance(spec: EnvSpec) -> dict[str, Any]:
    """Return what a result must share with another one to be compared with it, and what made it."""
    return {
        "env_id": spec.env_id,
        "observation_size": spec.observation_size,
        "action_size": spec.action_size,
        "versions": versions(),
        "git_commit": git_commit(),
    }
