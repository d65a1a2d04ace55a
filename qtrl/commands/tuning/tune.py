"""A search for good settings: one training, or one for each of several seeds, for every setting that is tried."""

import math
import shlex
import statistics
import time
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from qtrl.commands.tuning.search import Search, read_search
from qtrl.commands.tuning.space import as_overrides
from qtrl.commands.tuning.trial_process import Training
from qtrl.commands.tuning.trials import DATABASE, SearchStudy, search_study, write_best
from qtrl.config.secrets import refuse_secrets
from qtrl.errors import ConfigError, RunFolderError
from qtrl.process.stopping import Interruption
from qtrl.run.lock import locked
from qtrl.run.result import finished_metric


def run_tuning(cfg: DictConfig) -> float:
    """Search as the composed config says, or go on with the search that `folder` holds.

    Returns:
        The value of the best trial.

    Raises:
        QtrlError: Optuna is missing, the space or an option is unusable, or no trial gave a value.
    """
    refuse_secrets(cfg)
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise ConfigError("a search needs Optuna: pip install 'qtrl[tune]'") from error
    search = read_search(cfg)
    deadline = time.monotonic() + (math.inf if cfg.timeout is None else cfg.timeout)
    definition = {name: getattr(search, name) for name in ("overrides", "space", "seeds", "metric")}
    _make_folder(search)
    with locked(search.folder, "folder"), search_study(search.folder, definition, search.space, cfg.seed) as study:
        _say(f"search in {search.folder}, {study.ended} of {cfg.trials} trials done")
        while study.ended < cfg.trials and time.monotonic() < deadline:
            _try_next(search, study, cfg.trials)
        return _conclude(search, study)


def _make_folder(search: Search) -> None:
    folder = search.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / DATABASE).is_file():
            raise RunFolderError(f"folder={folder} is not empty and holds no search: choose another with folder=DIR")
    except OSError as error:
        raise RunFolderError(f"folder={folder} cannot be written: {error.strerror}; choose another") from error


def _try_next(search: Search, study: SearchStudy, trials: int) -> None:
    """Train with the next setting, and record the result."""
    number, setting = study.next()
    study.write(search.folder)
    _say(f"trial {number}, {study.ended + 1} of {trials}: {' '.join(as_overrides(setting))}")
    try:
        value = _value(search, number, setting)
    except Interruption as interruption:
        _say(f"stopped by {interruption} in trial {number}; the same command goes on with it")
        raise
    if isinstance(value, str):
        study.fail(number, value)
        _say(f"trial {number} failed: {value}")
    else:
        study.succeed(number, value)
        best, best_value = study.best
        _say(f"trial {number}: {search.metric} {value:.1f}; best {best_value:.1f} of trial {best.number}")
    study.write(search.folder)


def _value(search: Search, number: int, setting: Mapping[str, Any]) -> float | str:
    """Return the mean over the seeds, or why there is none."""
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


def _conclude(search: Search, study: SearchStudy) -> float:
    """Say which trial is the best, and how to train with its setting."""
    best, value = study.best
    found = f"trial {best.number} of {study.ended}, {search.metric} {value:.1f}"
    write_best(best.params, search.groups, search.folder / "best.yaml", found)
    _say(f"best: {found}; {search.folder / 'best.yaml'}")
    _say(f"train with it: {shlex.join(['python', '-m', 'qtrl.train', *search.overrides, *as_overrides(best.params)])}")
    return value


def _say(line: str) -> None:
    print(f"qtrl: {line}", flush=True)
