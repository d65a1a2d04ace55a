"""Provenance of a result: versions, machine and commit."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

import qtrl

PACKAGES = (
    *("torch", "lightning", "torchrl", "tensordict", "gymnasium", "mujoco", "torchquantum-ng"),
    *("numba", "llvmlite", "numpy", "wandb"),
)


def versions() -> dict[str, str]:
    """Return the versions of Python, qtrl and its main dependencies."""
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


def provenance() -> dict[str, Any]:
    """Return versions and commit, as plain data."""
    return {"versions": versions(), "git_commit": git_commit()}


def numerics(trainer: Trainer, matmul_precision: str) -> dict[str, Any]:
    """Return what the last digits of a run depend on beside its config and seed, as plain data."""
    accelerated = trainer.strategy.root_device.type == "cuda"
    device = torch.cuda.get_device_name() if accelerated else torch.backends.cpu.get_cpu_capability()
    rounding = ("torch", "numpy", "numba", "mujoco", "gymnasium")  # other versions may round otherwise
    return {
        "threads": torch.get_num_threads(),
        "device": device,
        "matmul_precision": matmul_precision,
        "world_size": trainer.world_size,
        "precision": str(trainer.precision),
        **{name: version for name, version in versions().items() if name in rounding},
    }
