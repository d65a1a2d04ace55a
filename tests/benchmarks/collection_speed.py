"""Env steps per second of Humanoid-v4: `python tests/benchmarks/collection_speed.py --out docs/benchmarks`.

The actor of `humanoid_pqc` with its circuit acts, the environments step and the replay is written. Ways to collect are
compared with learning off, in turns within one run; then runs that learn, with and without `data.overlap`.
"""

import argparse
import itertools
import json
import os
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lightning.pytorch import Callback
from omegaconf import DictConfig
from records import conditions, heading, number, table
from run_parts import RunParts
from run_parts import config as run_config

from qtrl.data import CollectingPolicy, GaussianNoise, InProcessCollector, Replay
from qtrl.envs import VECTORS, make_vector_env
from qtrl.meters import Stopwatch
from qtrl.nn import HybridActor
from qtrl.process.quiet import quiet_libraries
from qtrl.process.threads import set_threads

ENVS = (1, 4, 8, 16)
BLOCKS = ("pqc", "fc")
LEARNING = {
    "in turn": [],
    "overlap, threads": ["data.overlap=true", "env.vector=threads"],
    "overlap, processes": ["data.overlap=true", "env.vector=processes"],
}
"""Overrides by the name of a way to learn."""
WARMUP, SKIPPED, UPDATES = 64, 16, 40


def config(*overrides: str) -> DictConfig:
    """Compose the config of a run."""
    return run_config("data.capacity=10000", "data.storage=memory", *overrides)


class Contender:
    """One way to collect, ready to go on."""

    def __init__(self, actor: HybridActor, replay: Replay, num_envs: int, vector: str) -> None:
        self._replay, self._num_envs = replay, num_envs
        policy = CollectingPolicy(actor, exploration=GaussianNoise(0.1), seed=0, stopwatch=Stopwatch())
        envs = make_vector_env("Humanoid-v4", num_envs, 0, vector=vector)
        self._collector = InProcessCollector(envs, policy, replay.columns)
        self.rates: list[float] = []

    def run(self, seconds: float) -> None:
        """Collect for a while and keep the env steps per second."""
        env_steps, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            self._replay.extend(self._collector.collect())
            env_steps += self._num_envs
        self.rates.append(env_steps / elapsed)

    def close(self) -> None:
        """Close the environments."""
        self._collector.close()


def collecting(actor: HybridActor, replay: Replay, num_envs: int, *, rounds: int, seconds: float) -> dict[str, float]:
    """Return env steps per second by vector, medians over rounds in turns; one more round warms up."""
    contenders: dict[str, Contender] = {}
    try:
        for vector in VECTORS:
            contenders[vector] = Contender(actor, replay, num_envs, vector)
        for _ in range(1 + rounds):
            for contender in contenders.values():
                contender.run(seconds)
    finally:
        for contender in contenders.values():
            contender.close()
    return {vector: statistics.median(contender.rates[1:]) for vector, contender in contenders.items()}


def collecting_everywhere(rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """Measure every number of environments."""
    with TemporaryDirectory() as folder:
        parts = RunParts(config("experiment=humanoid_pqc", "recipe=local"), Path(folder))
        replay = parts.stream().replay
        return {str(n): collecting(parts.module.actor, replay, n, rounds=rounds, seconds=seconds) for n in ENVS}


class Stamps(Callback):
    """Remember when each update ended."""

    def __init__(self) -> None:
        self.stamps: list[float] = []

    def on_train_batch_end(self, *args: Any) -> None:
        """Add a time."""
        self.stamps.append(time.perf_counter())


def learning_rate(block: str, num_envs: int, overrides: list[str]) -> float:
    """Train, and return env steps per second from one update to the last."""
    steps = [f"total_env_steps={WARMUP + SKIPPED + UPDATES}", f"warmup_env_steps={WARMUP}", f"num_envs={num_envs}"]
    cfg, stamps = config(f"experiment=humanoid_{block}", "recipe=local", *steps, *overrides), Stamps()
    with TemporaryDirectory() as folder:
        parts = RunParts(cfg, Path(folder))
        parts.fit(parts.stream(), [stamps])
    return UPDATES / (stamps.stamps[-1] - stamps.stamps[-1 - UPDATES])


def learning(num_envs: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return env steps per second while learning, by way and block, medians over rounds in turns."""
    rates: dict[tuple[str, str], list[float]] = {pair: [] for pair in itertools.product(LEARNING, BLOCKS)}
    for _ in range(rounds):
        for way, block in rates:
            rates[way, block].append(learning_rate(block, num_envs, LEARNING[way]))
    return {way: {block: statistics.median(rates[way, block]) for block in BLOCKS} for way in LEARNING}


def report(record: dict[str, Any]) -> str:
    """Write the record as Markdown."""
    rows = [
        [num_envs, *(number(rates[vector]) for vector in VECTORS)] for num_envs, rates in record["collecting"].items()
    ]
    parts = [
        "# Collecting",
        heading(record),
        "Env steps per second of Humanoid-v4 with the actor of `humanoid_pqc`, learning off: `env.vector` by the "
        "number of environments, one worker for each core.",
        table(["environments", *(f"`{vector}`" for vector in VECTORS)], rows),
    ]
    for num_envs, rates in record["learning"].items():
        rows = [[way, *(number(rates[way][block]) for block in BLOCKS)] for way in LEARNING]
        parts += [
            f"Env steps per second while learning, one update for each env step, {num_envs} environments:",
            table(["", *(f"`humanoid_{block}`" for block in BLOCKS)], rows),
        ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Measure, print, and write `collection.json` and `collection.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4, help="of one way to collect in one round")
    parser.add_argument("--learning-rounds", type=int, default=2)
    options = parser.parse_args()
    quiet_libraries()
    set_threads(None, 1)
    record = conditions()
    record["collecting"] = collecting_everywhere(options.rounds, options.seconds)
    record["learning"] = {"8": learning(8, options.learning_rounds)} if options.learning_rounds else {}
    record["load_average_after"] = os.getloadavg()
    (options.out / "collection.json").write_text(json.dumps(record, indent=2) + "\n")
    (options.out / "collection.md").write_text(report(record))
    print(report(record))


if __name__ == "__main__":
    main()
