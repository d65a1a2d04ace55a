"""Train an agent: `python -m qtrl.train experiment=NAME [key=value ...]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtrl.commands.command_line import run_command
from qtrl.process.imports import lasting_imports

if TYPE_CHECKING:
    from omegaconf import DictConfig


def train(cfg: DictConfig) -> float:
    """Train and test one agent, and leave everything about it in its run folder.

    Args:
        cfg: The composed config.

    Returns:
        The metric named by `optimized_metric`, for a sweep's optimizer.

    Raises:
        QtrlError: Anything that is wrong with the config, the environment, the machine or the training.
    """
    with lasting_imports():
        from qtrl.envs.render import check_renderer

        check_renderer()  # before anything imports mujoco, which fails on a bad MUJOCO_GL without saying why
        from qtrl.run.training import run_training

    return run_training(cfg)


def main() -> None:
    """Run the command line."""
    run_command(train, "train")


if __name__ == "__main__":
    main()
