"""What the last digits of a run depend on beside its config and seed."""

from typing import Any

import torch
from omegaconf import DictConfig

from qtrl.run.provenance import versions

DECIDING = ("torch", "numpy", "numba", "mujoco", "gymnasium")
"""Packages whose other versions may round otherwise."""


def numerics(cfg: DictConfig, *, world_size: int) -> dict[str, Any]:
    """Return threads, instruction set, paths and versions, as plain data.

    Args:
        cfg: The run's config.
        world_size: Ranks of the run.
    """
    accelerated = cfg.trainer.accelerator != "cpu" and torch.cuda.is_available()
    device = torch.cuda.get_device_name() if accelerated else torch.backends.cpu.get_cpu_capability()
    found = {name: version for name, version in versions().items() if name in DECIDING}
    settled = {
        "matmul_precision": cfg.get("matmul_precision", "highest"),
        "world_size": world_size,
        "precision": str(cfg.trainer.precision),
    }
    return {"threads": torch.get_num_threads(), "device": device} | settled | found
