"""The trials of a search, one or several at a time."""

import os
import signal
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from qtrl.commands.tuning import trials
from qtrl.commands.tuning.space import Space, as_overrides
from qtrl.commands.tuning.trial_process import Training
from qtrl.process.stopping import Interruption, shutdown_signals
from qtrl.run.lock import locked
from qtrl.run.result import finished_metric, metric_text

if TYPE_CHECKING:
    from optuna import Study

THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True)
class Search:
    """A search for the highest mean `metric` over `seeds`, in a `folder` with the study and a folder for each trial.

    All trials have the same `overrides` of `qtrl.train`, and differ in the `space`, whose keys may be config `groups`.
    Up to `jobs` are trained at a time, until there are `trials`.
    """

    folder: Path
    overrides: list[str]
    space: Space
    groups: list[str]
    seeds: list[int]
    metric: str
    seed: int
    trials: int
    jobs: int


@dataclass
class Signals:
    """Those that this process got, which are passed on to all trainings that run."""

    received: list[int] = field(default_factory=list)
    _trainings: list[Any] = field(default_factory=list)

    @contextmanager
    def passed_on(self) -> Iterator[None]:
        """Receive them in the body, in the main thread."""
        before = {number: signal.signal(number, self._receive) for number in shutdown_signals()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.stop(number)

    def stop(self, number: int) -> None:
        """Ask all trainings to end, and those that are about to begin."""
        self.received.append(number)
        for training in list(self._trainings):
            training.stop(number)

    @contextmanager
    def of(self, training: Any) -> Iterator[None]:
        """Pass them on to a training in the body."""
        self._trainings.append(training)
        try:
            for number in list(self.received):
                training.stop(number)
            yield
        finally:
            self._trainings.remove(training)


Running = dict[Future, int]
"""The trials that run, by number."""


def run_trials(search: Search, study: "Study", deadline: float) -> None:
    """Run trials until there are as many as asked for, or until `deadline`, after which no further one begins.

    Raises:
        Interruption: A signal came, or ended a training; all trainings have saved.
    """
    running: Running = {}
    signals = Signals()
    with _cores_shared(search.jobs), signals.passed_on(), ThreadPoolExecutor(search.jobs) as pool:
        try:
            while True:
                while len(running) < search.jobs and _begins(search, study, running, signals, deadline):
                    number, setting = _next(search, study, running)
                    running[pool.submit(_value, search, number, setting, signals)] = number
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    _record(search, study, running[future], future.result())
                    del running[future]
            if signals.received:  # between two trials
                raise Interruption(signals.received[0])
        except BaseException as error:
            _stop(running, signals, error)
            _record_done(search, study, running)
            if isinstance(error, Interruption):
                say(f"stopped by {error}{_named(running.values())}")
            raise


def _next(search: Search, study: "Study", running: Running) -> tuple[int, dict[str, Any]]:
    number, setting = trials.next_trial(study, search.space, search.seed, running=running.values())
    trials.write_trials(study, search.space, search.folder / "trials.csv")
    count = trials.ended(study) + len(running) + 1
    say(f"trial {number}, {count} of {search.trials}: {' '.join(as_overrides(setting))}")
    return number, setting


def _begins(search: Search, study: "Study", running: Running, signals: Signals, deadline: float) -> bool:
    wanted = trials.ended(study) + len(running) < search.trials
    return wanted and not signals.received and time.monotonic() < deadline


def _stop(running: Running, signals: Signals, error: BaseException) -> None:
    """End the other trainings, which save."""
    if not signals.received:
        signals.stop(error.number if isinstance(error, Interruption) else signal.SIGTERM)
    wait(running)


def _record_done(search: Search, study: "Study", running: Running) -> None:
    for future, number in list(running.items()):
        if future.exception() is None:
            _record(search, study, number, future.result())
            del running[future]


def _named(numbers: Iterable[int]) -> str:
    ordered = [str(number) for number in sorted(numbers)]
    if len(ordered) < 2:
        return f" in trial {ordered[0]}; the same command goes on with it" if ordered else "; the same command goes on"
    return f" in trials {', '.join(ordered)}; the same command goes on with them"


def _record(search: Search, study: "Study", number: int, value: float | str) -> None:
    if isinstance(value, str):
        trials.fail(study, number, value)
        say(f"trial {number} failed: {value}")
    else:
        study.tell(number, value)
        best, highest = trials.best_trial(study)
        given, most = (metric_text(search.metric, each) for each in (value, highest))
        say(f"trial {number}: {search.metric} {given}; best {most} of trial {best.number}")
    trials.write_trials(study, search.space, search.folder / "trials.csv")


def _value(search: Search, number: int, setting: Mapping[str, Any], signals: Signals) -> float | str:
    """Train with a setting, once with each seed; return the mean result, or why there is none. Runs in a thread."""
    values = []
    for seed in search.seeds:
        run_dir = search.folder / f"trial{number}" / f"seed{seed}"
        run_dir.parent.mkdir(exist_ok=True)
        if run_dir.is_dir():
            with locked(run_dir):  # a training that outlived a killed search is no failed trial
                pass
        run = as_overrides({"seed": seed, "run_dir": str(run_dir), "resume": "auto"})
        training = Training([*search.overrides, *as_overrides(setting), *run], run_dir.with_suffix(".log"))
        with signals.of(training):
            reason = training()
        if reason is not None:
            return reason
        value = finished_metric(run_dir, search.metric)  # the training has just said that it ended
        if value is None:
            return "it came to its end without a result in summary.json"
        values.append(value)
    return statistics.fmean(values)


@contextmanager
def _cores_shared(jobs: int) -> Iterator[None]:
    """Let each of several trainings at a time take its share of the cores, unless the user said how many."""
    if jobs == 1 or os.environ.get(THREADS):
        yield
        return
    os.environ[THREADS] = str(max(1, len(os.sched_getaffinity(0)) // jobs))
    try:
        yield
    finally:
        del os.environ[THREADS]


def say(line: str) -> None:
    """Print a line of the search."""
    print(f"qtrl: {line}", flush=True)
