"""Graceful shutdown of a training run by signals."""

from pathlib import Path

from lightning.pytorch import Callback, Trainer

from qtrl.callbacks.protocols import Learner
from qtrl.process.stopping import Interruption, Stop


class Preemption(Callback):
    """Let signals request a graceful shutdown, and requeue a SLURM job once it has stopped.

    Listed last, so that everything is saved before. `stop` is the run's shutdown request.
    """

    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    def on_train_start(self, trainer: Trainer, pl_module: Learner) -> None:  # type: ignore[override]
        """Take the signals that Lightning took when `fit` began."""
        self._stop.take_over()

    def on_exception(self, trainer: Trainer, pl_module: Learner, exception: BaseException) -> None:  # type: ignore[override]
        """Requeue the job, where that is what the signal was about."""
        if isinstance(exception, Interruption):
            self._stop.requeue(exception.number)
            for path in Path(trainer.default_root_dir).glob("hpc_ckpt_*.ckpt"):
                path.unlink(missing_ok=True)  # Lightning's own, of the very moment that `last.ckpt` is of
