"""Search for good settings: `python -m qtrl.tune experiment=NAME [trials=N space=NAME key=value ...]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtrl.commands.command_line import run_command
from qtrl.process.imports import lasting_imports

if TYPE_CHECKING:
    from omegaconf import DictConfig


def tune(cfg: DictConfig) -> float:
    """Train with one setting after the other, each in a process of its own, and keep the search in its folder.

    Args:
        cfg: The composed config.

    Returns:
        The optimized metric of the best trial.

    Raises:
        QtrlError: The space or an option is unusable, or no trial succeeded.
    """
    with lasting_imports():
        from qtrl.commands.tuning.tune import run_tuning

    return run_tuning(cfg)


def main() -> None:
    """Run the command line."""
    run_command(tune, "tune")


if __name__ == "__main__":
    main()
