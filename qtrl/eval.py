"""Test a trained agent without noise: `python -m qtrl.eval run=DIR [ablation=frozen_policy] [key=value ...]`."""

from omegaconf import DictConfig

from qtrl.commands.command_line import run_command
from qtrl.process.imports import lasting_imports


def evaluate(cfg: DictConfig) -> float:
    """Test one agent, or a model of a table, as it is or under the conditions of an ablation; see `qtrl.commands`."""
    with lasting_imports():
        from qtrl.envs.render import pick_renderer

        pick_renderer()  # before anything imports mujoco, which takes the renderer that MUJOCO_GL names then
        from qtrl.commands.evaluation import run_evaluation
        from qtrl.commands.examples import is_supervised, run_example_ablation, run_example_evaluation
        from qtrl.commands.frozen_policy import run_ablation

    if is_supervised(cfg):
        return run_example_ablation(cfg) if cfg.get("ablation") is not None else run_example_evaluation(cfg)
    return run_ablation(cfg) if cfg.get("ablation") is not None else run_evaluation(cfg)


def main() -> None:
    """Run the command line."""
    run_command(evaluate, "eval")


if __name__ == "__main__":
    main()
