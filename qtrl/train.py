"""Train an agent: `python -m qtrl.train experiment=NAME [key=value ...]`."""

from omegaconf import DictConfig

from qtrl.commands.command_line import run_command
from qtrl.process.imports import lasting_imports


def train(cfg: DictConfig) -> float:
    """Train as `cfg` says; see `qtrl.run.training.run_training`."""
    with lasting_imports():
        from qtrl.envs.render import pick_renderer

        pick_renderer()  # before anything imports mujoco, which takes the renderer that MUJOCO_GL names then
        from qtrl.run.training import run_training

    return run_training(cfg)


def main() -> None:
    """Run the command line."""
    run_command(train, "train")


if __name__ == "__main__":
    main()
