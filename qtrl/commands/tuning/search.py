"""What a search is told: its folder, its trials, and what all of their trainings share."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qtrl.commands.command_line import describe
from qtrl.commands.tuning.space import Space, as_overrides, check_keys, corners, read_space
from qtrl.config.limits import COUNT, NUMBERS, Number, check_config
from qtrl.config.nested import leaves
from qtrl.errors import ConfigError, QtrlError
from qtrl.run.resolve import chosen_experiment

OWN = ("trials", "seeds", "timeout", "folder", "space", "seed")
"""Keys that are not passed on to the trainings."""
SET_BY_SEARCH = ("run_dir", "resume", "resume_force", "seed", "experiment", "label", "optimized_metric")
"""Keys that no space may vary."""


@dataclass(frozen=True)
class Search:
    """What is searched for, and where.

    Attributes:
        folder: Holds the study, and a folder for each trial.
        overrides: Arguments of `qtrl.train` for all trials.
        space: What differs between trials.
        groups: Names of the config groups.
        seeds: Of the trainings of each trial.
        metric: What is maximised.
    """

    folder: Path
    overrides: list[str]
    space: Space
    groups: list[str]
    seeds: list[int]
    metric: str


def read_search(cfg: DictConfig) -> Search:
    """Read the composed config, and check everything that can be checked before the first training.

    Raises:
        ConfigError: The experiment, an option, an override or the space is not allowed.
    """
    hydra = HydraConfig.get()
    experiment = chosen_experiment()
    if hydra.mode == RunMode.MULTIRUN:
        raise ConfigError("-m is not allowed: a search starts its trainings itself")
    COUNT.check("trials", cfg.trials)
    Number(0, whole=False, optional=True).check("timeout", cfg.timeout)
    overrides = []
    for override in hydra.overrides.task:
        key = override.lstrip("+~").partition("=")[0]
        if key in ("run_dir", "resume"):
            raise ConfigError(f"{override} is not allowed: a search sets {key} itself, below folder=DIR")
        if key.partition(".")[0].partition("@")[0] not in OWN:
            overrides.append(override)
    space = read_space(OmegaConf.to_container(cfg.space, resolve=True) if cfg.get("space") is not None else None)
    search = Search(
        folder=Path(str(cfg.folder or Path(cfg.paths.runs, "tune", experiment))).expanduser().absolute(),
        overrides=overrides,
        space=space,
        groups=[group for group in hydra.runtime.choices if not group.startswith("hydra/")],
        seeds=_seeds(cfg),
        metric=cfg.optimized_metric,
    )
    _check_settings(search)
    return search


def _seeds(cfg: DictConfig) -> list[int]:
    seeds = [cfg.seed] if cfg.seeds is None else cfg.seeds
    if not isinstance(seeds, list | ListConfig) or not seeds:
        raise ConfigError(f"seeds={seeds} is not allowed: expected a list, as in seeds=[0,1,2]")
    for seed in seeds:
        NUMBERS["seed"].check("seeds", seed)
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"seeds={seeds} is not allowed: expected each of them once")
    return list(seeds)


def _check_settings(search: Search) -> None:
    """Check the config composed at the limits of the space."""
    base = OmegaConf.to_container(_composed(search, {}), resolve=False)
    check_keys(search.space, [key for key, _ in leaves(base)], search.groups, SET_BY_SEARCH)
    for setting in corners(search.space):
        try:
            check_config(_composed(search, setting))
        except (QtrlError, HydraException, OmegaConfBaseException) as error:
            raise ConfigError(f"space: with {' '.join(as_overrides(setting))}: {describe(error)}") from error


def _composed(search: Search, setting: Mapping[str, Any]) -> DictConfig:
    return compose("train", overrides=[*search.overrides, *as_overrides(setting)])
