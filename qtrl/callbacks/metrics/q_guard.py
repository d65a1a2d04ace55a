"""Values that no sum of rewards can reach."""

import sys
from typing import Any

from lightning.pytorch import Callback, Trainer

from qtrl.callbacks.periodic import Interval
from qtrl.callbacks.protocols import ReplayStream, RLLearner, source_of


class QGuard(Callback):
    """Compare the critics' targets with the largest value that the rewards so far allow, and flag an explosion once.

    With rewards of magnitude R at most, no true value exceeds R / (1 - gamma); with gamma = 1 there is no bound. Where
    rewards are small, the first networks alone exceed it: an explosion has also doubled since the first comparison.

    Args:
        every_env_steps: Interval between comparisons; with that of `MetricRows`, which is listed after this one, every
            row has the newest.
    """

    def __init__(self, *, every_env_steps: int) -> None:
        self._interval, self._flagged = Interval(every_env_steps), False
        self._first: float | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return the first comparison, and whether an explosion was said."""
        return {"first": self._first, "flagged": self._flagged}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self._first, self._flagged = state_dict["first"], state_dict["flagged"]

    def on_train_start(self, trainer: Trainer, pl_module: RLLearner) -> None:  # type: ignore[override]
        """Begin to count where the run begins or goes on."""
        self._interval.start(pl_module.env_steps)

    def on_train_batch_end(self, trainer: Trainer, pl_module: RLLearner, *args: Any) -> None:  # type: ignore[override]
        """Compare where it is due."""
        stream: ReplayStream = source_of(trainer)
        gamma = pl_module.settings.gamma
        if gamma == 1.0 or stream.stats.largest_reward == 0.0 or not self._interval.due(pl_module.env_steps):
            return
        bound = stream.stats.largest_reward / (1.0 - gamma)
        ratio = pl_module.metrics["train/target_q"].abs().mean() / bound
        pl_module.metrics["train/q_over_bound"] = ratio
        first = self._first = ratio.item() if self._first is None else self._first
        if ratio > max(1.0, 2.0 * first) and not self._flagged and trainer.is_global_zero:
            self._flagged = True
            reason = f"rewards so far, at most {stream.stats.largest_reward:.3g}, allow values up to {bound:.3g}"
            hint = "lower the learning rates or set algo.max_gradient_norm"
            what = f"Q explosion at env step {pl_module.env_steps:,}"
            print(f"qtrl: {what}: {reason}, targets are {ratio:.3g} times that; {hint}", file=sys.stderr, flush=True)
