"""A search for good settings: one training, or one for each of several seeds, for every setting that is tried."""

import math
import shlex
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qtrl.commands.command_line import describe
from qtrl.commands.tuning import trials
from qtrl.commands.tuning.space import Space, as_overrides, check_keys, corners, read_space
from qtrl.commands.tuning.trial_process import Training
from qtrl.config.limits import COUNT, NUMBERS, Number, check_config
from qtrl.config.nested import leaves
from qtrl.config.secrets import refuse_secrets
from qtrl.errors import ConfigError, QtrlError, RunFolderError
from qtrl.process.stopping import Interruption
from qtrl.run.lock import locked
from qtrl.run.resolve import chosen_experiment
from qtrl.run.result import finished_metric

if TYPE_CHECKING:
    from optuna import Study

OWN = ("trials", "seeds", "timeout", "folder", "space", "seed")
"""Keys that are not passed on to the trainings."""
SET_BY_SEARCH = ("run_dir", "resume", "resume_force", "seed", "experiment", "label", "optimized_metric")
"""Keys that no space may vary."""


@dataclass(frozen=True)
class Search:
    """A search for the highest mean `metric` over `seeds`, in a `folder` with the study and a folder for each trial.

    All trials have the same `overrides` of `qtrl.train`, and differ in the `space`, whose keys may be config `groups`.
    """

    folder: Path
    overrides: list[str]
    space: Space
    groups: list[str]
    seeds: list[int]
    metric: str


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
    with locked(folder, "folder"), trials.opened_study(folder, definition) as study:
        _say(f"search in {folder}, {trials.ended(study)} of {cfg.trials} trials done")
        while trials.ended(study) < cfg.trials and time.monotonic() < deadline:
            _try_next(search, study, cfg)
        best, value = trials.best_trial(study)
        found = f"trial {best.number} of {trials.ended(study)}, {search.metric} {value:.1f}"
        trials.write_best(best.params, search.groups, folder / "best.yaml", found)
    command = ["python", "-m", "qtrl.train", *search.overrides, *as_overrides(best.params)]
    _say(f"best: {found}; {folder / 'best.yaml'}")
    _say(f"train with it: {shlex.join(command)}")
    return value


def _try_next(search: Search, study: "Study", cfg: DictConfig) -> None:
    number, setting = trials.next_trial(study, search.space, cfg.seed)
    trials.write_trials(study, search.space, search.folder / "trials.csv")
    _say(f"trial {number}, {trials.ended(study) + 1} of {cfg.trials}: {' '.join(as_overrides(setting))}")
    try:
        value = _value(search, number, setting)
    except Interruption as interruption:
        _say(f"stopped by {interruption} in trial {number}; the same command goes on with it")
        raise
    if isinstance(value, str):
        trials.fail(study, number, value)
        _say(f"trial {number} failed: {value}")
    else:
        study.tell(number, value)
        best, highest = trials.best_trial(study)
        _say(f"trial {number}: {search.metric} {value:.1f}; best {highest:.1f} of trial {best.number}")
    trials.write_trials(study, search.space, search.folder / "trials.csv")


def _value(search: Search, number: int, setting: Mapping[str, Any]) -> float | str:
    values = []
    for seed in search.seeds:
        run_dir = search.folder / f"trial{number}" / f"seed{seed}"
        run_dir.parent.mkdir(exist_ok=True)
        if run_dir.is_dir():
            with locked(run_dir):  # a training that outlived a killed search is no failed trial
                pass
        run = as_overrides({"seed": seed, "run_dir": str(run_dir), "resume": "auto"})
        training = Training([*search.overrides, *as_overrides(setting), *run], run_dir.with_suffix(".log"))
        reason = training()
        if reason is not None:
            return reason
        value = finished_metric(run_dir, search.metric, total_env_steps=0)  # the training has just said that it ended
        if value is None:
            return "it came to its end without a result in summary.json"
        values.append(value)
    return statistics.fmean(values)


def _read_search(cfg: DictConfig) -> Search:
    """Read the composed config, and check everything that can be checked before the first training."""
    hydra = HydraConfig.get()
    experiment = chosen_experiment()
    if hydra.mode == RunMode.MULTIRUN:
        raise ConfigError("-m is not allowed: a search starts its trainings itself")
    cfg.trials = COUNT.check("trials", cfg.trials)
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
            check_config(_composed(search, setting))
        except (QtrlError, HydraException, OmegaConfBaseException) as error:
            raise ConfigError(f"space: with {' '.join(as_overrides(setting))}: {describe(error)}") from error


def _composed(search: Search, setting: Mapping[str, Any]) -> DictConfig:
    return compose("train", overrides=[*search.overrides, *as_overrides(setting)])


def _say(line: str) -> None:
    print(f"qtrl: {line}", flush=True)
