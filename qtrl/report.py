"""Compare finished runs: `python -m qtrl.report runs=DIR [key=value ...]`."""

from pathlib import Path

from omegaconf import DictConfig

from qtrl.commands.command_line import run_command
from qtrl.process.imports import lasting_imports


def report(cfg: DictConfig) -> list[Path]:
    """Write a report about runs; see `qtrl.commands.report.run_report`."""
    with lasting_imports():
        from qtrl.commands.report import run_report

    return run_report(cfg)


def main() -> None:
    """Run the command line."""
    run_command(report, "report")


if __name__ == "__main__":
    main()
