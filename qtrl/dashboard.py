"""Make a W&B workspace for the runs of a project: `python -m qtrl.dashboard entity=NAME project=NAME`."""

from omegaconf import DictConfig

from qtrl.commands.command_line import run_command
from qtrl.process.imports import lasting_imports


def dashboard(cfg: DictConfig) -> None:
    """Save a workspace in W&B, or print its definition; see `qtrl.commands.dashboard.make_dashboard`."""
    with lasting_imports():
        from qtrl.commands.dashboard import make_dashboard

    make_dashboard(cfg)


def main() -> None:
    """Run the command line."""
    run_command(dashboard, "dashboard")


if __name__ == "__main__":
    main()
