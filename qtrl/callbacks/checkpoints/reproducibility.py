"""What has to be the same for numbers to be the same: global random states, and what the machine computes with."""

import sys
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, Trainer

from qtrl.callbacks.protocols import Learner
from qtrl.process.ranks import from_all_ranks
from qtrl.seeding import random_states, set_random_states


class Reproducibility(Callback):
    """Keep the global random states in checkpoints, and say where a run goes on with other numerics.

    qtrl draws from generators of its own; the global states are for whatever else draws. `numerics` is what the numbers
    depend on beside seeds, by name; it is read at the first save.
    """

    def __init__(self, numerics: Mapping[str, Any]) -> None:
        self._numerics = numerics
        self._states: dict[str, Any] | None = None

    def on_save_checkpoint(self, trainer: Trainer, pl_module: Learner, checkpoint: dict[str, Any]) -> None:  # type: ignore[override]
        """Add every rank's random states, and the numerics."""
        checkpoint["random_states"] = from_all_ranks(random_states())
        checkpoint["numerics"] = dict(self._numerics)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: Learner, checkpoint: dict[str, Any]) -> None:  # type: ignore[override]
        """Keep the states until training begins, and compare the numerics."""
        self._states = checkpoint["random_states"][trainer.global_rank]
        before = checkpoint["numerics"]
        changed = [
            f"{name} {before.get(name)} -> {value}"
            for name, value in self._numerics.items()
            if before.get(name) != value
        ]
        if changed and trainer.is_global_zero:
            line = f"qtrl: the checkpoint was made with other numerics ({', '.join(changed)}): the run goes on, but not"
            print(f"{line} bit for bit as it would have without the break", file=sys.stderr, flush=True)

    def on_train_start(self, trainer: Trainer, pl_module: Learner) -> None:  # type: ignore[override]
        """Go on drawing where the checkpoint was made."""
        if self._states is not None:
            set_random_states(self._states)
            self._states = None
