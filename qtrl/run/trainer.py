"""Lightning's Trainer for a run: of one process, whatever launched it, or of several that the settings ask for."""

import inspect
import os
import warnings
from typing import Any

from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.plugins.environments import ClusterEnvironment, LightningEnvironment, SLURMEnvironment

from qtrl.callbacks import AtomicCheckpointIO
from qtrl.config.validation.trainer_flags import ONE_PROCESS
from qtrl.errors import ConfigError
from qtrl.process.launchers import forget_launcher
from qtrl.run.settings import RunSettings


class AloneInSLURM(SLURMEnvironment):
    """SLURM for a run of one process: it is requeued by signal, and other tasks of its job are runs of their own."""

    @staticmethod
    def _validate_srun_used() -> None:
        pass

    @staticmethod
    def _validate_srun_variables() -> None:
        pass


def make_trainer(settings: RunSettings, checkpoint_io: AtomicCheckpointIO) -> Trainer:
    """Make the Trainer; everything that it would do by itself and that qtrl does is switched off.

    With `trainer.strategy=auto` the run is this one process, and else this one starts the other ranks: variables such
    as `RANK`, `LOCAL_RANK` and `SLURM_NTASKS`, which whatever started it may have left, say nothing about it.

    Raises:
        ConfigError: That strategy would use several processes, the machine cannot multiply in `trainer.precision`, or a
            callback would never act.
    """
    keywords = getattr(inspect.unwrap(settings.trainer), "keywords", {})
    alone = keywords.get("strategy", ONE_PROCESS) == ONE_PROCESS
    warnings.filterwarnings("ignore", ".*AMP with fp16 is not supported on CPU.*")  # refused below
    if not alone:
        forget_launcher(keywords.get("num_nodes", 1))
    plugins: list[Any] = [checkpoint_io, _surroundings() if alone else LightningEnvironment()]
    trainer = settings.trainer(
        default_root_dir=settings.run_dir,
        deterministic=settings.deterministic,
        plugins=plugins,
        logger=False,
        max_epochs=1,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
    asked = str(keywords.get("precision", trainer.precision))
    if asked.startswith("16") and trainer.precision != "16-mixed":
        hint = f"write trainer.precision={trainer.precision}, or trainer=gpu"
        raise ConfigError(f"trainer.precision={asked} works on GPUs alone: {hint}")
    if any(isinstance(callback, EarlyStopping) for callback in trainer.callbacks):  # type: ignore[attr-defined]
        instead = "give a callback that sets trainer.should_stop in on_train_batch_end"
        raise ConfigError(f"EarlyStopping acts at the ends of epochs, and a run is a single one: {instead}")
    if alone and trainer.world_size > 1:
        flags = f"trainer.devices={trainer.num_devices} trainer.accelerator={keywords.get('accelerator', 'auto')}"
        flags += f" +trainer.num_nodes={trainer.num_nodes}" if trainer.num_nodes > 1 else ""
        raise ConfigError(f"{trainer.world_size} processes need trainer=ddp: write trainer=ddp {flags}")
    if alone:
        rank_zero_only.rank = 0  # type: ignore[attr-defined] # Lightning took it from the environment when imported
    return trainer


def _surroundings() -> ClusterEnvironment:
    return AloneInSLURM() if AloneInSLURM.detect() and "SLURM_JOB_ID" in os.environ else LightningEnvironment()
