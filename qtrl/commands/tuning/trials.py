"""The record of a search in its folder: which settings were tried, and what they gave."""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import OmegaConf

from qtrl.commands.tuning.space import Space, distributions
from qtrl.config.nested import shown
from qtrl.errors import ConfigError, RunFolderError
from qtrl.files.atomic import write_csv, write_text

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

DATABASE, REASON = "study.db", "reason"


@contextmanager
def opened_study(folder: Path, definition: Mapping[str, Any]) -> "Iterator[Study]":
    """Open Optuna's study in the folder of a search, or begin one with this `definition`, which is plain data.

    Raises:
        ConfigError: The study has another definition.
        RunFolderError: It cannot be read or written.
    """
    import optuna
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    path = folder / DATABASE
    if path.is_symlink():
        raise RunFolderError(f"{str(path)!r} is a link; a search keeps regular files only: remove it")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = None
    try:
        connect = {"creator": lambda: sqlite3.connect(path)}  # a URL would give `?` and `%` of the path a meaning
        storage = optuna.storages.RDBStorage("sqlite:///" + DATABASE, engine_kwargs=connect)
        study = optuna.create_study(storage=storage, study_name="qtrl", direction="maximize", load_if_exists=True)
        for name, value in definition.items():
            before = study.user_attrs.get(name, value)
            if before != value:
                found = f"{folder} holds a search with {name}={shown(before)}, not {shown(value)}"
                raise ConfigError(f"{found}: choose another with folder=DIR")
            study.set_user_attr(name, value)
        yield study
    except (OptunaError, SQLAlchemyError, sqlite3.Error) as error:
        raise RunFolderError(f"{path} cannot be used: {(str(error).splitlines() or [''])[0]}") from error
    finally:
        if storage is not None:
            storage.engine.dispose()


def ended(study: "Study") -> int:
    """Count the trials that gave a value or failed."""
    return sum(trial.state.is_finished() for trial in study.trials)


def next_trial(study: "Study", space: Space, seed: int, running: Collection[int] = ()) -> tuple[int, dict[str, Any]]:
    """Return number and setting of a trial that was interrupted, or else of a new one.

    Suggestions depend on `seed` and on the trials before alone, not on interruptions; and on which trials are `running`
    at the time, by number, which the sampler takes for bad ones so as not to try the same again.
    """
    from optuna.samplers import TPESampler

    for trial in study.trials:
        if not trial.state.is_finished() and trial.number not in running:
            if trial.params.keys() == space.keys():
                return trial.number, trial.params
            fail(study, trial.number, "ended before its setting was complete")
    # A sampler's random state is not kept; one seed for all calls would draw the same settings again.
    own_seed = int(np.random.SeedSequence([seed, len(study.trials)]).generate_state(1)[0])
    study.sampler = TPESampler(seed=own_seed, constant_liar=bool(running))
    asked = study.ask(distributions(space))
    return asked.number, asked.params


def fail(study: "Study", number: int, reason: str) -> None:
    """Record that a trial gave nothing, and why."""
    from optuna.trial import TrialState

    study.set_user_attr(f"{REASON}{number}", reason)
    study.tell(number, state=TrialState.FAIL)


def best_trial(study: "Study") -> "tuple[FrozenTrial, float]":
    """Return the first trial with the highest value, and that value; raise a ConfigError where no trial gave one."""
    complete = [(trial, trial.value) for trial in study.trials if trial.value is not None]
    if not complete:
        reasons = [study.user_attrs.get(f"{REASON}{trial.number}") for trial in study.trials]
        reason = next((reason for reason in reversed(reasons) if reason), None)
        raise ConfigError(f"no trial of {ended(study)} gave a value" + (f"; the last: {reason}" if reason else ""))
    return max(complete, key=lambda found: found[1])


def write_trials(study: "Study", keys: Collection[str], path: Path) -> None:
    """Write a table with a row for each trial."""
    rows: list[list[Any]] = [["trial", "state", "value", *keys, REASON]]
    for trial in study.trials:
        setting, reason = [trial.params.get(key) for key in keys], study.user_attrs.get(f"{REASON}{trial.number}")
        rows.append([trial.number, trial.state.name.lower(), trial.value, *setting, reason])
    write_csv(path, rows)


def write_best(setting: Mapping[str, Any], groups: Collection[str], path: Path, comment: str) -> None:
    """Write a setting, some of whose keys are config groups, as a config that can be laid over an experiment."""
    chosen = [{f"override /{key}": value} for key, value in setting.items() if key in groups]
    values = OmegaConf.create({"defaults": chosen} if chosen else {})
    for key, value in setting.items():
        if key not in groups:
            OmegaConf.update(values, key, value)
    write_text(path, f"# @package _global_\n# {comment}\n{OmegaConf.to_yaml(values)}")
