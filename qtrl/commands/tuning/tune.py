"""A search for good settings: one training, or one for each of several seeds, for every setting that is tried."""

import math
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qtrl.commands.command_line import describe
from qtrl.commands.tuning import trials
from qtrl.commands.tuning.jobs import Search, run_trials, say
from qtrl.commands.tuning.space import as_overrides, check_keys, corners, read_space
from qtrl.config.instantiate import construct_task
from qtrl.config.nested import leaves
from qtrl.config.secrets import refuse_secrets
from qtrl.config.validation.checks import check_config
from qtrl.config.validation.limits import COUNT, NUMBERS
from qtrl.config.validation.number import Number
from qtrl.config.validation.schema import check_keys as check_run_keys
from qtrl.config.validation.unread import leave_out_unread
from qtrl.errors import ConfigError, QtrlError, RunFolderError
from qtrl.run.lock import locked
from qtrl.run.resolve import chosen_experiment
from qtrl.run.result import metric_text

OWN = ("trials", "jobs", "seeds", "timeout", "folder", "space", "seed")
"""Keys that are not passed on to the trainings."""
IN_USE = "wait for it, choose another, or give jobs=N to the command that searches there"
SET_BY_SEARCH = ("run_dir", "resume", "resume_force", "seed", "experiment", "label", "optimized_metric")
"""Keys that no space may vary."""


def run_tuning(cfg: DictConfig) -> float:
    """Search as the composed config says, or go on with the search in `folder`; return the value of the best trial.

    Raises:
        QtrlError: Optuna is missing, the space or an option is unusable, or no trial gave a value.
    """
    refuse_secrets(cfg)
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise ConfigError("a search needs Optuna: pip install 'qtrl[tune]'") from error
    search = _read_search(cfg)
    folder, deadline = search.folder, time.monotonic() + (math.inf if cfg.timeout is None else cfg.timeout)
    definition = {name: getattr(search, name) for name in ("overrides", "space", "seeds", "metric")}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / trials.DATABASE).is_file():
            raise RunFolderError(f"folder={folder} is not empty and holds no search: choose another with folder=DIR")
    except OSError as error:
        raise RunFolderError(f"folder={folder} cannot be written: {error.strerror}; choose another") from error
    with locked(folder, "folder", IN_USE), trials.opened_study(folder, definition) as study:
        say(f"search in {folder}, {trials.ended(study)} of {cfg.trials} trials done")
        run_trials(search, study, deadline)
        best, value = trials.best_trial(study)
        found = f"trial {best.number} of {trials.ended(study)}, {search.metric} {metric_text(search.metric, value)}"
        command = ["python", "-m", "qtrl.train", *search.overrides, *as_overrides(best.params)]
        say(f"best: {found}; {folder / 'best.yaml'}")
        say(f"train with it: {shlex.join(command)}")
        trials.write_best(best.params, search.groups, folder / "best.yaml", found)
    return value


def _read_search(cfg: DictConfig) -> Search:
    """Read the composed config, and check everything that can be checked before the first training."""
    hydra = HydraConfig.get()
    experiment = chosen_experiment()
    if hydra.mode == RunMode.MULTIRUN:
        raise ConfigError("-m is not allowed: a search starts its trainings itself")
    cfg.trials, cfg.jobs = COUNT.check("trials", cfg.trials), Number(1, 1_024).check("jobs", cfg.jobs)
    Number(0, whole=False, optional=True).check("timeout", cfg.timeout)
    overrides = []
    for override in hydra.overrides.task:
        key = override.lstrip("+~").partition("=")[0]
        if key in ("run_dir", "resume"):
            raise ConfigError(f"{override} is not allowed: a search sets {key} itself, below folder=DIR")
        if key.partition(".")[0].partition("@")[0] not in OWN:
            overrides.append(override)
    space = cfg.get("space")
    search = Search(
        folder=Path(str(cfg.folder or Path(str(cfg.paths.runs), "tune", experiment))).expanduser().absolute(),
        overrides=overrides,
        space=read_space(OmegaConf.to_container(space, resolve=True) if OmegaConf.is_config(space) else space),
        groups=[group for group in hydra.runtime.choices if not group.startswith("hydra/")],
        seeds=_seeds(cfg),
        metric=cfg.optimized_metric,
        seed=cfg.seed,
        trials=cfg.trials,
        jobs=cfg.jobs,
    )
    _check_settings(search)
    return search


def _seeds(cfg: DictConfig) -> list[int]:
    seeds = [cfg.seed] if cfg.seeds is None else cfg.seeds
    if not isinstance(seeds, list | ListConfig) or not seeds:
        raise ConfigError(f"seeds={seeds} is not allowed: expected a list, as in seeds=[0,1,2]")
    seeds = [NUMBERS["seed"].check("seeds", seed) for seed in seeds]
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"seeds={seeds} is not allowed: expected each of them once")
    return seeds


def _check_settings(search: Search) -> None:
    base = OmegaConf.to_container(_composed(search, {}), resolve=False)
    check_keys(search.space, [key for key, _ in leaves(base)], search.groups, SET_BY_SEARCH)
    for setting in corners(search.space):
        try:
            cfg = _composed(search, setting)
            leave_out_unread(cfg, [*search.overrides, *as_overrides(setting)])
            check_run_keys(cfg)
            check_config(cfg)
            construct_task(cfg)
        except (QtrlError, HydraException, OmegaConfBaseException) as error:
            raise ConfigError(f"space: with {' '.join(as_overrides(setting))}: {describe(error)}") from error


def _composed(search: Search, setting: Mapping[str, Any]) -> DictConfig:
    return compose("train", overrides=[*search.overrides, *as_overrides(setting)])
