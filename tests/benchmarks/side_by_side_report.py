"""The side-by-side benchmark as a page and a picture."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from contenders import SB3, WITH_SPIN
from flops import Sizes, update_flops
from records import filled, heading, number, table

PQC, FC = "qtrl humanoid_pqc", "qtrl humanoid_fc"
AIMS = {PQC: (1.5, 1.2), FC: (2.5, 2.0)}
"""Target and floor of a contender, in units of Stable-Baselines3's env steps per second."""
SIZES = {PQC: Sizes(), FC: Sizes(surrogate=None)}
"""Of the networks of a contender."""


@dataclass(frozen=True)
class Cell:
    """One contender with so many environments, in the environment variables that suit it best.

    Attributes:
        variant: These.
        rates: Env steps per second in each round.
        megabytes: Peak memory, the median over rounds.
        replay: Size of its full replay in MB.
    """

    variant: str
    rates: list[float]
    megabytes: float
    replay: float

    @property
    def quartiles(self) -> tuple[float, float, float]:
        """Lower quartile, median, upper quartile of the rates."""
        low, middle, high = np.percentile(self.rates, [25, 50, 75]).tolist()
        return low, middle, high


Cells = dict[tuple[str, int], Cell]


def variants(record: dict[str, Any], name: str, envs: int) -> dict[str, list[dict[str, Any]]]:
    """Return the runs of a contender with so many environments by variant, each in the order of the rounds."""
    found: dict[str, list[dict[str, Any]]] = {}
    for run in record["runs"]:
        if (run["contender"], run["envs"]) == (name, envs):
            found.setdefault(run["variant"], []).append(run)
    return found


def median_rate(runs: list[dict[str, Any]]) -> float:
    """Return the median env steps per second."""
    return statistics.median(run["env_steps_per_second"] for run in runs)


def best_cells(record: dict[str, Any]) -> Cells:
    """Take for each contender and number of environments the variant with the highest median."""
    cells = {}
    for name in record["how"]:
        for envs in numbers_of_envs(record):
            found = variants(record, name, envs)
            variant = max(found, key=lambda one: median_rate(found[one]))
            runs = found[variant]
            rates = [run["env_steps_per_second"] for run in runs]
            memory = statistics.median(run["peak_megabytes"] for run in runs)
            cells[name, envs] = Cell(variant, rates, memory, runs[0]["replay_megabytes"])
    return cells


def numbers_of_envs(record: dict[str, Any]) -> list[int]:
    """Return how many environments were side by side."""
    return sorted({run["envs"] for run in record["runs"]})


def ratio(cells: Cells, name: str, envs: int) -> float | None:
    """Return the median over rounds of the speed in units of Stable-Baselines3's; None where that was not run."""
    base = cells.get((SB3, envs))
    if base is None:
        return None
    return statistics.median(own / other for own, other in zip(cells[name, envs].rates, base.rates, strict=True))


def verdict(value: float, target: float, floor: float) -> str:
    """Say whether a target was met."""
    if value >= target:
        return "met"
    return "floor met, target not" if value >= floor else "not met"


def page(record: dict[str, Any]) -> str:
    """Write the whole page."""
    cells, task = best_cells(record), record["task"]
    about = (
        f"{task['env_id']}, batch {task['batch']}, one update for each env step, two hidden layers of {task['hidden']} "
        f"in every network, a replay of {task['capacity']:,} rows, on the CPU. This page is written by"
    )
    parts = [
        "# Training side by side",
        filled(about),
        heading(record),
        "![Env steps per second while learning, and peak memory](side_by_side.png)",
        "## Targets",
        _targets(cells, numbers_of_envs(record)),
        filled(_bound(record, cells)),
        "## Env steps per second while learning",
        filled("Medians over the rounds, with the quartiles in brackets."),
        _rows(record, lambda name, envs: _rate(cells[name, envs])),
        "## Times as fast as Stable-Baselines3",
        filled("Medians of the ratios within each round."),
        _rows(record, lambda name, envs: number(ratio(cells, name, envs))),
        "## Peak memory, MB",
        filled(
            "Of the whole process at the end of the window, when the replay holds few rows; the last column is what "
            "the replay takes once it is full, computed from its columns."
        ),
        _memory(record, cells),
        "## How",
        _how(record),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _rate(cell: Cell) -> str:
    low, middle, high = cell.quartiles
    return f"{number(middle)} ({number(low)} to {number(high)})"


def _rows(record: dict[str, Any], text: Callable[[str, int], str]) -> str:
    envs = numbers_of_envs(record)
    head = ["environments", *map(str, envs)]
    return table(head, ([name, *(text(name, count) for count in envs)] for name in record["how"]))


def _targets(cells: Cells, envs: list[int]) -> str:
    rows = []
    for name, (target, floor) in AIMS.items():
        for count in envs:
            value = ratio(cells, name, count) if (name, count) in cells else None
            if value is not None:
                aims = [f"{target:g}", f"{floor:g}", f"{value:.2f}", verdict(value, target, floor)]
                rows.append([f"`{name.split()[-1]}`, {count} env{'s' * (count > 1)}", *aims])
    return table(["times Stable-Baselines3", "target", "floor", "measured", ""], rows) if rows else ""


def _bound(record: dict[str, Any], cells: Cells) -> str:
    """Say what the matrix products of an update alone would allow on this machine."""
    gflops, envs = statistics.median(record["gflops"]), numbers_of_envs(record)[0]
    if (SB3, envs) not in cells:
        return ""
    words = [
        f"In these rounds the machine made {number(gflops)} GFLOP/s in the qtDNN's largest product. If an update and "
        "its env step were nothing but their products at that rate, then"
    ]
    for name, sizes in SIZES.items():
        rate = gflops / (sum(update_flops(sizes, record["task"]["batch"]).values()) / 1e9)
        times = rate / cells[SB3, envs].quartiles[1]
        words.append(
            f"`{name.split()[-1]}` would make {number(rate)} env steps/s, {times:.2f} times Stable-Baselines3;"
        )
    return " ".join(words)[:-1] + ". [Where a step goes](step_profile.md) shows the rest."


def _memory(record: dict[str, Any], cells: Cells) -> str:
    envs = numbers_of_envs(record)
    rows = []
    for name in record["how"]:
        peaks = [number(cells[name, count].megabytes) for count in envs]
        rows.append([name, *peaks, number(cells[name, envs[0]].replay)])
    return table(["environments", *map(str, envs), "full replay"], rows)


def _how(record: dict[str, Any]) -> str:
    task = record["task"]
    lines = [f"- {name}: {how}." for name, how in record["how"].items()]
    text = (
        f"Each run is a process of its own: {task['warmup']} env steps with random actions, {task['skipped']} with "
        f"learning that do not count, {task['measured']} that do. {len(record['gflops'])} rounds, in each of which all "
        "contenders take turns. The others run twice, as torch comes and with the `GOMP_SPINCOUNT` that the command of "
        "qtrl sets by itself; the faster counts:"
    )
    speeds = ", ".join(number(speed) for speed in record["gflops"])
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    return "\n\n".join(
        [
            "\n".join(lines),
            filled(text),
            _both_variants(record),
            f"The machine in each round, 256 x 220 times 220 x 2048 as torch comes: {speeds} GFLOP/s.",
            f"Versions: {versions}.",
        ]
    )


def _both_variants(record: dict[str, Any]) -> str:
    envs, rows = numbers_of_envs(record), []
    for name in record["how"]:
        runs = {count: variants(record, name, count) for count in envs}
        if WITH_SPIN in runs[envs[0]]:
            for variant in runs[envs[0]]:
                label = f"`{variant}`" if variant == WITH_SPIN else variant
                rows.append([f"{name}, {label}", *(number(median_rate(runs[count][variant])) for count in envs)])
    return table(["environments", *map(str, envs)], rows) if rows else ""
