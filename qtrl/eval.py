"""Test a trained agent without noise: `python -m qtrl.eval run=DIR [ablation=frozen_policy] [key=value ...]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtrl.commands.command_line import run_command
from qtrl.process.imports import lasting_imports

if TYPE_CHECKING:
    from omegaconf import DictConfig


def evaluate(cfg: DictConfig) -> float:
    """Test one agent, as it is or under the conditions of an ablation, and write the result into its run folder.

    Args:
        cfg: The composed config.

    Returns:
        The mean return of the agent as it is.

    Raises:
        QtrlError: The run, the checkpoint or an option is unusable.
    """
    with lasting_imports():
        from qtrl.envs.render import check_renderer

        check_renderer()  # before anything imports mujoco, which fails on a bad MUJOCO_GL without saying why
        from qtrl.commands.evaluation import run_evaluation
        from qtrl.commands.frozen_policy import run_ablation

    return run_ablation(cfg) if cfg.get("ablation") is not None else run_evaluation(cfg)


def main() -> None:
    """Run the command line."""
    run_command(evaluate, "eval")


if __name__ == "__main__":
    main()
