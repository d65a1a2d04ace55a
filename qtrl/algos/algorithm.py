"""What every algorithm is: a LightningModule around the mechanics of its updates."""

from typing import Any

from lightning.pytorch import LightningModule
from torch import Tensor

from qtrl.algos.mechanics import UpdateMechanics
from qtrl.meters import RunMeters


class Algorithm(LightningModule):
    """Base of modules that make their optimizer steps themselves; `training_step` is left to them.

    Attributes:
        mechanics: Set by the subclass, before it is used.
    """

    mechanics: UpdateMechanics

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    @property
    def env_steps(self) -> int:
        """Env steps made so far, over all ranks; in supervised learning examples seen."""
        return self.mechanics.env_steps

    @property
    def updates(self) -> int:
        """Updates made so far."""
        return self.mechanics.updates

    @property
    def meters(self) -> RunMeters:
        """Time, circuits and shots."""
        return self.mechanics.meters

    @property
    def metrics(self) -> dict[str, Tensor]:
        """The newest values of each metric."""
        return self.mechanics.metrics

    def check_losses(self) -> None:
        """Check losses that were not waited for; see `DivergenceDetector.check`."""
        self.mechanics.divergence.check()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add everything that the next update depends on; see `UpdateMechanics.save`."""
        self.mechanics.save(checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore what `on_save_checkpoint` added."""
        self.mechanics.restore(checkpoint)
