"""A study: the runs of several variants and seeds, found and read from their folders alone."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qtrl.analysis.runs.comparable import check_comparable, commits, comparison_facts
from qtrl.analysis.runs.measure import RETURN, Measure
from qtrl.analysis.runs.reading import RunResult, read_run
from qtrl.errors import QtrlError, RunFolderError

ORDER = ("pqc", "fc", "rbg", "zeros", "bernoulli", "fc_matched", "no_entangler", "fixed_angles", "shuffled", "td3")
"""Labels of the paper's blocks, then of the controls, in the order of tables and figures; others follow by name."""


class Skipped(NamedTuple):
    """A folder that is left out, and why, in one line."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Study:
    """Runs that may be compared.

    Attributes:
        runs: Runs of each label, by seed; labels in the order of the paper, then of the controls, then by name.
        skipped: Folders that are left out.
        facts: What all runs share, as text (`comparison_facts`), and their `commits`, separated by commas; empty
            without runs.
        warnings: What a reader must know, one line each: several commits, files that differed from the commit, keys
            besides the block in which labels differ.
    """

    runs: Mapping[str, list[RunResult]]
    skipped: list[Skipped]
    facts: Mapping[str, str]
    warnings: list[str]

    @property
    def measure(self) -> Measure:
        """What the runs are compared by, the same in all of them."""
        return next((run.measure for runs in self.runs.values() for run in runs), RETURN)

    @property
    def subject(self) -> str | None:
        """What is learned: the environment or the data; None without runs."""
        return self.facts.get(self.measure.subject)

    def values(self, label: str) -> np.ndarray:
        """Return the score of the final test of a label's runs, by seed, (n,)."""
        return np.array([run.summary[self.measure.final] for run in self.runs[label]], float)


def read_study(folders: Sequence[Path], *, read_config: Callable[[Path], Mapping[str, Any]]) -> Study:
    """Read all runs in and below some folders; a damaged or incomplete run is left out, with the reason.

    Args:
        folders: Run folders, or folders to search for them; links below them are not followed.
        read_config: Reads the config of a run folder as a flat mapping of dotted keys (`env.max_episode_steps`);
            raises `QtrlError` for one that cannot be read.

    Raises:
        RunFolderError: A folder does not exist, or two runs cannot be compared.
    """
    runs: dict[tuple[str, int], RunResult] = {}
    skipped: list[Skipped] = []
    for folder in _run_folders(folders, skipped):
        try:
            run = read_run(folder, read_config)
        except QtrlError as error:
            skipped.append(Skipped(folder, " ".join(str(error).split())))
            continue
        first = runs.setdefault((run.label, run.seed), run)
        if first is not run:
            told = f"{first.path} is seed {run.seed} of {run.label} already; a seed counts once"
            skipped.append(Skipped(folder, told))
    places = {label: place for place, label in enumerate(ORDER)}
    every = sorted(runs.values(), key=lambda run: (places.get(run.label, len(ORDER)), run.label, run.seed))
    by_label = {label: list(group) for label, group in groupby(every, lambda run: run.label)}
    warnings = check_comparable(by_label)
    facts = comparison_facts(every[0]) | {"commits": ", ".join(commits(every))} if every else {}
    return Study(by_label, skipped, facts, warnings)


def _run_folders(folders: Sequence[Path], skipped: list[Skipped]) -> Iterator[Path]:
    """Yield each run folder once, sorted by name."""
    seen: set[Path] = set()
    for top in folders:
        if not top.is_dir():
            raise RunFolderError(f"there is no folder {top}; give run folders, or folders that hold some")
        before = len(seen), len(skipped)
        for folder in _search(top, skipped):
            place = folder.resolve()
            if place not in seen:
                yield folder
            seen.add(place)
        if (len(seen), len(skipped)) == before:
            skipped.append(Skipped(top, "no run is in it, or none but those of the folders before"))


def _search(top: Path, skipped: list[Skipped]) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        skipped.append(Skipped(Path(error.filename), f"it cannot be read: {error.strerror}"))

    for parent, below, files in os.walk(top, onerror=unreadable):
        if {"config.yaml", "summary.json", "metrics.csv", "checkpoints"}.intersection([*below, *files]):
            below.clear()
            yield Path(parent)
        for name in [name for name in sorted(below) if Path(parent, name).is_symlink()]:
            skipped.append(Skipped(Path(parent, name), "it is a link; give the folder itself"))
        below.sort()
