"""Search for hyperparameters: `python -m qtrl.tune experiment=NAME [trials=N space=NAME key=value ...]`."""

from omegaconf import DictConfig

from qtrl.commands.command_line import run_command
from qtrl.process.imports import lasting_imports


def tune(cfg: DictConfig) -> float:
    """Search as `cfg` says; see `qtrl.commands.tuning.tune.run_tuning`."""
    with lasting_imports():
        from qtrl.commands.tuning.tune import run_tuning

    return run_tuning(cfg)


def main() -> None:
    """Run the command line."""
    run_command(tune, "tune")


if __name__ == "__main__":
    main()
