"""Actions at the ends of their range, where the actor's tanh passes hardly any gradient."""

import sys
from typing import Any

from lightning.pytorch import Callback, Trainer

from qtrl.callbacks.periodic import Interval
from qtrl.callbacks.protocols import RLLearner

MOST = 0.5
"""Share of saturated actions above which learning suffers."""
IN_A_ROW = 5
"""Looks in a row that must find more, before it is said."""


class SaturationGuard(Callback):
    """Say once that more than half of the actions stay beyond 0.99.

    Args:
        every_env_steps: Interval between looks.
    """

    def __init__(self, *, every_env_steps: int) -> None:
        self._interval = Interval(every_env_steps)
        self._above, self._said = 0, False

    def state_dict(self) -> dict[str, Any]:
        """Return how many looks in a row found too many, and whether that was said."""
        return {"above": self._above, "said": self._said}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self._above, self._said = state_dict["above"], state_dict["said"]

    def on_train_start(self, trainer: Trainer, pl_module: RLLearner) -> None:  # type: ignore[override]
        """Begin to count where the run begins or goes on."""
        self._interval.start(pl_module.env_steps)

    def on_train_batch_end(self, trainer: Trainer, pl_module: RLLearner, *args: Any) -> None:  # type: ignore[override]
        """Look where it is due."""
        share = pl_module.metrics.get("train/saturated_share")
        if self._said or share is None or not self._interval.due(pl_module.env_steps):
            return
        self._above = self._above + 1 if share > MOST else 0
        if self._above == IN_A_ROW:
            self._said = True
            if trainer.is_global_zero:
                what = f"{share:.0%} of the actions are beyond 0.99 at env step {pl_module.env_steps:,}, and stay so"
                why = "the actor's tanh passes hardly any gradient there"
                hint = "set algo.preactivation_penalty=0.01 or normalize=running, or lower algo.actor_optimizer.lr"
                print(f"qtrl: {what}: {why}; {hint}", file=sys.stderr, flush=True)
