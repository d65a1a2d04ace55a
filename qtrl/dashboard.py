"""Make a W&B workspace for the runs of a project: `python -m qtrl.dashboard entity=NAME project=NAME`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtrl.commands.command_line import run_command
from qtrl.process.imports import lasting_imports

if TYPE_CHECKING:
    from omegaconf import DictConfig


def dashboard(cfg: DictConfig) -> None:
    """Save a workspace in W&B, or print its definition.

    Args:
        cfg: The composed config.

    Raises:
        QtrlError: An option is unusable, or W&B does not take the workspace.
    """
    with lasting_imports():
        from qtrl.commands.dashboard import make_dashboard

    make_dashboard(cfg)


def main() -> None:
    """Run the command line."""
    run_command(dashboard, "dashboard")


if __name__ == "__main__":
    main()
