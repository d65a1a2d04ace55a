"""Seconds from the command to its first env step: `python tests/benchmarks/startup.py --out docs/benchmarks`.

Every command is a process of its own. Commands take turns, medians are reported: the seconds on the clock, which depend
on what else the machine does, and the seconds of computing, which do so less.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from first_step import NOTE
from records import conditions, heading, table

HERE = Path(__file__).resolve().parent
TRAIN = ("-m", "qtrl.train")
COMMANDS: dict[str, tuple[str, ...]] = {
    "`python -m qtrl.train --help`": (*TRAIN, "--help"),
    "`import torch`": ("-c", "import torch"),
    "`import lightning.pytorch`, torch included": ("-c", "import lightning.pytorch"),
    "`import wandb`": ("-c", "import wandb"),
}
RUNS: dict[str, tuple[str, ...]] = {
    "first env step, `logger=csv`": ("logger=csv",),
    "first env step, W&B offline": ("logger.offline=true",),
}
COMPILING = "first env step, `logger=csv`, kernel not yet compiled"


def until_the_end(command: tuple[str, ...]) -> tuple[float, float]:
    """Return the seconds of a command, on the clock and of computing."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    seconds, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def until_the_first_step(overrides: tuple[str, ...], **variables: str) -> tuple[float, float]:
    """Return the seconds of `experiment=humanoid_pqc` up to its first env step, on the clock and of computing."""
    with TemporaryDirectory() as folder:
        note = Path(folder, "note")
        path = os.pathsep.join([str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
        environment = os.environ | {NOTE: str(note), "PYTHONPATH": path} | variables
        command = [*TRAIN, "experiment=humanoid_pqc", "env.id=first_step:FirstStep-v0", f"run_dir={folder}/run"]
        start = time.monotonic()
        done = subprocess.run([sys.executable, *command, *overrides], env=environment, capture_output=True, text=True)
        if not note.exists():
            raise RuntimeError(f"no env step was made: {done.stderr}")
        end, computing = map(float, note.read_text().split())
        return end - start, computing


def measure(rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Take all measurements, interleaved; the first of each warms the disk's cache and is dropped."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in (*COMMANDS, *RUNS, COMPILING)}
    for _ in range(rounds + 1):
        for name, command in COMMANDS.items():
            times[name].append(until_the_end(command))
        for name, overrides in RUNS.items():
            times[name].append(until_the_first_step(overrides))
        with TemporaryDirectory() as folder:
            times[COMPILING].append(until_the_first_step(RUNS["first env step, `logger=csv`"], NUMBA_CACHE_DIR=folder))
    return {name: taken[1:] for name, taken in times.items()}


def report(record: dict[str, Any]) -> str:
    """Write the record as Markdown."""
    rows = []
    for name, taken in record["seconds"].items():
        clock, computing = zip(*taken, strict=True)
        figures = (statistics.median(clock), min(clock), statistics.median(computing))
        rows.append((name, *(f"{figure:.1f}" for figure in figures)))
    head = ("what", "s, median", "s, least", "s of computing, median")
    return f"{heading(record)}\n\n{table(head, rows)}\n"


def main() -> None:
    """Measure, print, and write `startup.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    record: dict[str, Any] = conditions()
    record["seconds"] = measure(options.rounds)
    record["load_average_after"] = os.getloadavg()
    (options.out / "startup.json").write_text(json.dumps(record, indent=2) + "\n")
    print(report(record))


if __name__ == "__main__":
    main()
