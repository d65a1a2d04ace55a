"""The record of a search: which settings were tried, and what they gave, in its folder."""

import csv
import io
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
from qtrl.files.atomic import write_text

if TYPE_CHECKING:
    import optuna

NAME, DATABASE, REASON = "qtrl", "study.db", "reason"


class SearchStudy:
    """An Optuna study whose suggestions depend on `seed` and on the trials before alone, not on interruptions."""

    def __init__(self, study: "optuna.Study", space: Space, seed: int) -> None:
        self._study, self._space, self._seed = study, distributions(space), seed

    @property
    def trials(self) -> list["optuna.trial.FrozenTrial"]:
        """All trials, by number."""
        return self._study.get_trials(deepcopy=False)

    @property
    def ended(self) -> int:
        """Number of trials that gave a value or failed."""
        return sum(trial.state.is_finished() for trial in self.trials)

    @property
    def best(self) -> "tuple[optuna.trial.FrozenTrial, float]":
        """The first trial with the highest value, and that value.

        Raises:
            ConfigError: No trial gave a value.
        """
        complete = [(trial, trial.value) for trial in self.trials if trial.value is not None]
        if not complete:
            reason = self._study.user_attrs.get(f"{REASON}{self.ended - 1}")
            raise ConfigError(f"no trial of {self.ended} gave a value" + (f"; the last: {reason}" if reason else ""))
        return max(complete, key=lambda found: found[1])

    def next(self) -> tuple[int, dict[str, Any]]:
        """Return number and setting of the trial that was interrupted, or else of a new one."""
        from optuna.samplers import TPESampler

        for trial in self.trials:
            if not trial.state.is_finished():
                if trial.params.keys() == self._space.keys():
                    return trial.number, trial.params
                self.fail(trial.number, "ended before its setting was complete")
        # A sampler's random state is not kept; one seed for all calls would draw the same settings again.
        seed = np.random.SeedSequence([self._seed, len(self.trials)]).generate_state(1)[0]
        self._study.sampler = TPESampler(seed=int(seed))
        asked = self._study.ask(self._space)
        return asked.number, asked.params

    def succeed(self, number: int, value: float) -> None:
        """Record what a trial gave."""
        self._study.tell(number, value)

    def fail(self, number: int, reason: str) -> None:
        """Record that a trial gave nothing."""
        from optuna.trial import TrialState

        self._study.set_user_attr(f"{REASON}{number}", reason)
        self._study.tell(number, state=TrialState.FAIL)

    def write(self, folder: Path) -> None:
        """Write `trials.csv`, a row for each trial."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["trial", "state", "value", *self._space, REASON])
        reasons = self._study.user_attrs
        for trial in self.trials:
            setting = [trial.params.get(key) for key in self._space]
            reason = reasons.get(f"{REASON}{trial.number}")
            writer.writerow([trial.number, trial.state.name.lower(), trial.value, *setting, reason])
        write_text(folder / "trials.csv", text.getvalue())


@contextmanager
def search_study(folder: Path, definition: Mapping[str, Any], space: Space, seed: int) -> Iterator[SearchStudy]:
    """Open the study in a folder, or begin one.

    Args:
        folder: The folder of the search.
        definition: What may not change from one call to the next, as plain data.
        space: What is varied.
        seed: Seed of the suggestions.

    Raises:
        RunFolderError: The study cannot be read or written, or is another search.
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
        study = optuna.create_study(storage=storage, study_name=NAME, direction="maximize", load_if_exists=True)
        _check_definition(study, definition, folder)
        yield SearchStudy(study, space, seed)
    except (OptunaError, SQLAlchemyError, sqlite3.Error) as error:
        raise RunFolderError(f"{path} cannot be used: {(str(error).splitlines() or [''])[0]}") from error
    finally:
        if storage is not None:
            storage.engine.dispose()


def _check_definition(study: "optuna.Study", definition: Mapping[str, Any], folder: Path) -> None:
    for name, value in definition.items():
        if name not in study.user_attrs:
            study.set_user_attr(name, value)
        elif study.user_attrs[name] != value:
            before = shown(study.user_attrs[name])
            raise ConfigError(
                f"{folder} holds a search with {name}={before}, not {shown(value)}: choose another with folder=DIR"
            )


def write_best(setting: Mapping[str, Any], groups: Collection[str], path: Path, comment: str) -> None:
    """Write a setting as a config that can be laid over an experiment.

    Args:
        setting: Value by key or group.
        groups: The config groups.
        path: The file.
        comment: One line about where it comes from.
    """
    chosen = [{f"override /{key}": value} for key, value in setting.items() if key in groups]
    values = OmegaConf.create({"defaults": chosen} if chosen else {})
    for key, value in setting.items():
        if key not in groups:
            OmegaConf.update(values, key, value)
    write_text(path, f"# @package _global_\n# {comment}\n{OmegaConf.to_yaml(values)}")
