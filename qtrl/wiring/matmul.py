"""Which path multiplies matrices in a run."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from qtrl.matmul import PRECISIONS, fastest_accurate, measure_paths

AUTO = "auto"
CHOICES = (AUTO, *PRECISIONS)


def settle_matmul_precision(cfg: DictConfig, world_size: int, *, before: Mapping[str, Any] | None = None) -> str:
    """Return the precision that the config names; for `auto` on a CPU the fastest accurate one, as measured now.

    A run with `deterministic=true`, on an accelerator or in several processes, which might not choose alike, does not
    measure: there `auto` is `highest`.

    Args:
        cfg: The run's config.
        world_size: Ranks of the run.
        before: The checkpoint that the run goes on from; with `auto` its choice stays.
    """
    asked = cfg.get("matmul_precision", "highest")  # a run folder of an earlier version has no such key
    if asked != AUTO:
        return asked
    settled = before.get("numerics", {}).get("matmul_precision") if before else None
    if settled in PRECISIONS:
        return settled
    if cfg.deterministic or cfg.trainer.accelerator != "cpu" or world_size > 1:
        return "highest"
    return fastest_accurate(measure_paths()).precision
