"""Write a trained agent or model without its run: `python -m qtrl.export run=DIR to=FOLDER`, or `to=FILE.onnx`."""

from pathlib import Path

from omegaconf import DictConfig

from qtrl.commands.command_line import run_command
from qtrl.process.imports import lasting_imports


def export(cfg: DictConfig) -> Path:
    """Write what a run has trained; see `qtrl.commands.export.command.run_export`."""
    with lasting_imports():
        from qtrl.commands.export.command import run_export

    return run_export(cfg)


def main() -> None:
    """Run the command line."""
    run_command(export, "export")


if __name__ == "__main__":
    main()
