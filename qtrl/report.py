"""Compare finished runs: `python -m qtrl.report runs=DIR [key=value ...]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtrl.commands.command_line import run_command
from qtrl.process.imports import lasting_imports

if TYPE_CHECKING:
    from pathlib import Path

    from omegaconf import DictConfig


def report(cfg: DictConfig) -> list[Path]:
    """Compare runs; write the result as a page, a table and figures.

    Args:
        cfg: The composed config.

    Returns:
        The files written.

    Raises:
        QtrlError: A folder or an option is unusable, or the runs are not comparable.
    """
    with lasting_imports():
        from qtrl.commands.report import run_report

    return run_report(cfg)


def main() -> None:
    """Run the command line."""
    run_command(report, "report")


if __name__ == "__main__":
    main()
