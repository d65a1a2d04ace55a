"""qtrl's own command, with a stopwatch among its callbacks. Torch is imported by the command, as it always is."""

import contextlib
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from contenders.task import Clock, Task
from qtrl.commands.command_line import run_command


def run(task: Task, clock: Clock, experiment: str) -> float:
    """Run `python -m qtrl.train` up to the end of the window, and a test of one episode after it."""
    megabytes: list[float] = []

    def train(cfg: Any) -> float:
        from qtrl.train import train

        with clock_among_callbacks(clock, megabytes):
            return train(cfg)

    with TemporaryDirectory() as folder:
        sys.argv = ["qtrl", *overrides(task, experiment, Path(folder) / "run")]
        run_command(train, "train")
    return megabytes[0]


def overrides(task: Task, experiment: str, run_dir: Path) -> list[str]:
    """Write a task as a user would on the command line; what is not named stays as the experiment has it."""
    return [
        f"experiment={experiment}",
        "recipe=local",
        f"env.id={task.env_id}",
        f"num_envs={task.envs}",
        f"total_env_steps={task.total}",
        f"warmup_env_steps={task.warmup}",
        f"data.batch_size={task.batch}",
        f"data.capacity={task.capacity}",
        f"actor.hidden={task.hidden}",
        f"critic.hidden={task.hidden}",
        "callbacks.test_episodes=1",
        "callbacks.test_max_episode_steps=2",
        "logger=csv",
        f"run_dir={run_dir}",
    ]


@contextlib.contextmanager
def clock_among_callbacks(clock: Clock, megabytes: list[float]) -> Any:
    """Let the clock tick after every update of the run that is made meanwhile, and note the size of a full replay."""
    from lightning.pytorch import Callback

    from qtrl.tasks import RL

    class Ticks(Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, *args: Any) -> None:
            clock.tick(pl_module.env_steps)

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            replay = trainer.train_dataloader.replay
            megabytes.append(1e-6 * replay.capacity * replay.row_bytes)

    make = RL.make_callbacks
    RL.make_callbacks = lambda task, context: [*make(task, context), Ticks()]  # type: ignore[method-assign]
    try:
        yield
    finally:
        RL.make_callbacks = make  # type: ignore[method-assign]
