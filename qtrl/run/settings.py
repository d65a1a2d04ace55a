"""The keys of the config that every run needs, whatever its task."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import Logger

AUTO = "auto"
"""`resume=auto`: resume where the run folder has a checkpoint, begin where it has none."""


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The keys of `train.yaml` that a run needs in every task, as plain values.

    Attributes:
        run_dir: The run's folder, absolute.
        resume: True where the run continues from `last.ckpt`; `auto` where it begins in a folder that may hold what a
            run left that was killed before its first checkpoint.
        trainer: Makes Lightning's Trainer from whatever else it is given.
        checkpoint_replay: `none` where checkpoints leave out what the data keeps beside them.
        logger: Each makes a logger beside `metrics.csv`.
    """

    run_dir: str
    experiment: str
    label: str | None
    tags: list[str]
    seed: int
    resume: bool | str
    ckpt_path: str | None
    deterministic: bool
    num_threads: int | None
    matmul_precision: str
    optimized_metric: str
    trainer: Callable[..., Trainer]
    logger: list[Callable[..., Logger]]
    checkpoint_replay: str = "last"

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.run_dir)
