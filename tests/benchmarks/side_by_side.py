"""qtrl against other people's TD3, env steps per second while learning: `python tests/benchmarks/side_by_side.py`.

Humanoid-v4, batch 256, one update for each env step, two hidden layers of 256 everywhere, on the CPU, with the extra
`bench` installed. Every run is a process of its own; contenders take turns in rounds, so that a disturbance hits all of
them; the ratio to Stable-Baselines3 is taken within each round. This process computes nothing meanwhile.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from contender import GFLOPS
from contenders import CONTENDERS, WITH_SPIN, Contender, Task
from records import conditions, write_page
from side_by_side_picture import draw
from side_by_side_report import page

from qtrl.process import openmp as spin

CHILD = Path(__file__).with_name("contender.py")
LONGEST = 600.0
"""Seconds after which a run is given up."""


def environment(variant: str) -> dict[str, str]:
    """Return the environment variables of a run: this process's, with or without qtrl's spin on free cores."""
    variables = {"GOMP_SPINCOUNT": spin.LONG} if variant == WITH_SPIN else {}
    return {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"} | variables


def run_child(name: str, variant: str, task: Task | None = None) -> dict[str, float]:
    """Run one contender in its own process, and return what its last line says; exit where it failed."""
    command = [sys.executable, str(CHILD), name, *([json.dumps(asdict(task))] if task else [])]
    ended = subprocess.run(command, env=environment(variant), capture_output=True, text=True, timeout=LONGEST)
    if ended.returncode:
        reason = (ended.stderr.strip() or "no word").splitlines()[-1]
        raise SystemExit(f"side_by_side.py: {name} ended with status {ended.returncode}: {reason}")
    return json.loads(ended.stdout.splitlines()[-1])


def entries(contenders: list[Contender]) -> Iterator[tuple[Contender, str]]:
    """List contenders with each of their variants."""
    return ((contender, variant) for contender in contenders for variant in contender.variants)


def measure(contenders: list[Contender], envs: list[int], rounds: int, measured: int) -> Iterator[dict[str, Any]]:
    """Run everything in turns, and yield what was measured so far after each round."""
    runs, speeds = [], []
    for turn in range(rounds):
        speeds.append(run_child(GFLOPS, WITH_SPIN)["gflops"])
        print(f"round {turn + 1} of {rounds}: {speeds[-1]:.0f} GFLOP/s", flush=True)
        for count, (contender, variant) in itertools.product(envs, entries(contenders)):
            found = run_child(contender.name, variant, Task(envs=count, measured=measured))
            runs.append({"contender": contender.name, "variant": variant, "envs": count, "round": turn} | found)
            print(f"  {count:3d} envs  {contender.name}, {variant}: {found['env_steps_per_second']:.1f}", flush=True)
        yield {"gflops": speeds, "runs": runs, "load_average_after": os.getloadavg()}


def main() -> None:
    """Measure, print, and write `side_by_side.json`, `side_by_side.md` and `side_by_side.png`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--envs", type=int, nargs="+", default=[1, 4, 16], help="environments side by side")
    parser.add_argument("--steps", type=int, default=Task.measured, help="env steps that are timed in each run")
    parser.add_argument("--only", nargs="+", default=[""], help="contenders whose names hold one of these words")
    parser.add_argument("--draw", action="store_true", help="only write page and picture anew from side_by_side.json")
    options = parser.parse_args()
    file = options.out / "side_by_side.json"
    if options.draw:
        record = json.loads(file.read_text())
    else:
        chosen = [one for one in CONTENDERS.values() if any(word in one.name for word in options.only)]
        record = conditions(sorted({package for one in chosen for package in one.packages}))
        record |= {"task": asdict(Task(measured=options.steps)), "how": {one.name: one.how for one in chosen}}
        for measured in measure(chosen, options.envs, options.rounds, options.steps):
            record |= measured
            file.write_text(json.dumps(record, indent=2) + "\n")
    write_page(record, file, page, draw)


if __name__ == "__main__":
    main()
