"""The parts of a run, made from its config as the command makes them, to be measured one by one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig

from qtrl.config.instantiate import build, construct_task
from qtrl.config.location import config_dir
from qtrl.data import Column, Stream, transition_columns
from qtrl.nn import Block, quantum_layers
from qtrl.tasks import RL, RunContext


def config(*overrides: str) -> DictConfig:
    """Compose the config of a run."""
    with initialize_config_dir(config_dir(), version_base="1.3"):
        return compose("train", list(overrides))


class RunParts:
    """What a run is made of.

    Args:
        cfg: The run's config.
        folder: For the replay; in it nothing is written before rows are.

    Attributes:
        task: Made from the config.
        context: What the task is told.
        module: Networks and algorithm.
    """

    def __init__(self, cfg: DictConfig, folder: Path) -> None:
        task: Any = construct_task(cfg)
        self._cfg, self.task, self.context = cfg, task, RunContext(folder, cfg.seed)
        self.module = self.task.make_module(self.context)

    task: RL

    @property
    def block(self) -> Block:
        """The block of the actor's only quantum layer."""
        (layer,) = quantum_layers(self.module.actor).values()
        return layer.block

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of a transition."""
        layers = {name: layer.block for name, layer in quantum_layers(self.module.actor).items()}
        sizes = {name: (block.n_in, block.n_out) for name, block in layers.items()}
        return transition_columns(self.task.spec, sizes)

    def stream(self) -> Stream:
        """Open environments and replay."""
        return self.task.make_data(self.module, self.context)

    def trainer(self, callbacks: Sequence[Callback], logger: Sequence[Logger] = ()) -> Trainer:
        """Make the Trainer of the config, without anything that it would do by itself."""
        off = ("enable_checkpointing", "enable_model_summary", "enable_progress_bar", "use_distributed_sampler")
        return build(self._cfg.trainer)(
            default_root_dir=str(self.context.run_dir),
            deterministic=self._cfg.deterministic,
            callbacks=list(callbacks),
            logger=list(logger) or False,
            max_epochs=1,
            max_steps=-1,
            num_sanity_val_steps=0,
            **dict.fromkeys(off, False),
        )

    def fit(self, data: Any, callbacks: Sequence[Callback], logger: Sequence[Logger] = ()) -> None:
        """Train on a stream, or on minibatches of one's own."""
        self.trainer(callbacks, logger).fit(self.module, data)
