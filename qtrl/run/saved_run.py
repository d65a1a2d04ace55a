"""A trained agent or model as its folder has it: where every use of one begins, and where a folder is judged."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from qtrl.config.saved import load_config
from qtrl.config.validation.checks import check_config
from qtrl.config.validation.limits import NUMBERS
from qtrl.config.validation.number import Number
from qtrl.errors import ConfigError
from qtrl.files.checkpoint import read_newest
from qtrl.files.run_tree import existing_run_dir
from qtrl.run.checkpoint_checks import check_counters
from qtrl.run.exported import is_exported, located, read_exported

CHECKPOINTS = ("last", "best")
LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class SavedRun:
    """What was read of a run, or of an exported agent or model; nothing in it has been looked up or imported yet.

    Attributes:
        run_dir: The folder.
        cfg: Its config, with the block's keys that were asked for.
        checkpoint: The content of a checkpoint, onto the CPU.
        path: The file of that.
        exported: Whether it is an agent or a model without its run, whose weights are all that acts or predicts.
    """

    run_dir: Path
    cfg: DictConfig
    checkpoint: dict[str, Any]
    path: Path
    exported: bool


def check_reading(checkpoint: object, shots: object, readout_error: object) -> Any:
    """Return the shots, 1e3 as an integer; raise a ConfigError for the first of what was asked for that is wrong."""
    if checkpoint not in CHECKPOINTS:
        raise ConfigError(f"checkpoint={checkpoint} is unknown: choices are {', '.join(CHECKPOINTS)}")
    Number(0, 0.5, whole=False, optional=True).check("readout_error", readout_error)
    return Number(1, NUMBERS["block.shots"].high, optional=True).check("shots", shots)


def open_saved_run(run: object, checkpoint: str, *, block: Mapping[str, Any], trust: Collection[str]) -> SavedRun:
    """Read a run's folder, which a stranger may have made.

    Args:
        run: The folder, or `pretrained/NAME`.
        checkpoint: `last` or `best`.
        block: Keys of the run's block that change; None leaves a key as it is.
        trust: Names of classes and environment ids of the user's own that the config may name.

    Raises:
        QtrlError: It is not what a run leaves, names what is not trusted, or its block has no such key.
    """
    run_dir = existing_run_dir(located(run), "run")
    exported = is_exported(run_dir)
    if exported and checkpoint != CHECKPOINTS[0]:
        raise ConfigError(f"checkpoint={checkpoint}: what was exported has one set of weights: leave it out")
    if exported:
        content, path = read_exported(run_dir)
    else:
        content, path = read_newest(run_dir / "checkpoints" / f"{checkpoint}.ckpt")
    check_counters(content, path)
    cfg = load_config(run_dir, trust)
    for name, value in block.items():
        if value is not None:
            if OmegaConf.select(cfg, f"block.{name}") is None:
                raise ConfigError(f"{name}: this run's block has no circuit")
            OmegaConf.update(cfg, f"block.{name}", value, merge=False)
    check_config(cfg)
    return SavedRun(run_dir, cfg, content, path, exported)
