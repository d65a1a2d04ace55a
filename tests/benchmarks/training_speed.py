"""Collection and update speed of `humanoid_*`: `python tests/benchmarks/training_speed.py --out docs/benchmarks`.

Two things are compared within one run, interleaved, by medians: env steps per second while collecting with one
environment, engine `auto` against `torchquantum`; and milliseconds of one update (qtDNN fit, critics, actor every
second) for each block.
"""

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from lightning.pytorch import Callback
from records import cpu_name
from run_parts import RunParts, config

from qtrl.data import Column
from qtrl.process.quiet import quiet_libraries
from qtrl.process.threads import set_threads
from qtrl.run.provenance import git_commit, versions
from qtrl.specs import Batch

ENGINES = ("auto", "torchquantum")
BLOCKS = ("pqc", "fc", "rbg", "zeros")
ROUNDS, COLLECT_STEPS, UPDATES, SKIPPED = 5, 40, 40, 10


def collection_times(engine: str, folder: Path) -> list[float]:
    """Return the seconds of single env steps: act with the real block, step, store; learning is off."""
    cfg = config("experiment=humanoid_pqc", "recipe=local", f"engine={engine}", "data.capacity=1000")
    cfg.total_env_steps, cfg.warmup_env_steps = COLLECT_STEPS + SKIPPED, COLLECT_STEPS + SKIPPED - 1
    stream, stamps = RunParts(cfg, folder).stream(), list[float]()
    stream.listen(lambda env_steps: stamps.append(time.perf_counter()))
    for _ in stream:
        pass
    return [later - earlier for earlier, later in zip(stamps[SKIPPED:], stamps[SKIPPED + 1 :], strict=False)]


class Batches:
    """Random minibatches; their values do not matter for the time."""

    def __init__(self, size: int, columns: tuple[Column, ...]) -> None:
        from tensordict import TensorDict

        rows = TensorDict(batch_size=[size])
        for column in columns:
            shape = (size, *column.shape)
            is_flag = column.dtype == torch.bool
            rows[column.key] = torch.zeros(shape, dtype=torch.bool) if is_flag else torch.rand(shape)
        self._batch = Batch(rows, 1, recent=rows)

    def __len__(self) -> int:
        return UPDATES + SKIPPED

    def __iter__(self) -> Iterator[Batch]:
        return iter([self._batch] * len(self))


class Stamps(Callback):
    """Remember when each update ended."""

    def __init__(self) -> None:
        self.stamps: list[float] = []

    def on_train_batch_end(self, *args: Any) -> None:
        self.stamps.append(time.perf_counter())


def update_times(block: str, folder: Path) -> list[float]:
    """Return the seconds of single updates through Lightning's Trainer."""
    cfg = config(f"experiment=humanoid_{block}", "recipe=local")
    stamps, parts = Stamps(), RunParts(cfg, folder)
    parts.fit(Batches(cfg.data.batch_size, parts.columns), [stamps])
    ends = stamps.stamps[SKIPPED:]
    return [later - earlier for earlier, later in itertools.pairwise(ends)]


def measure() -> dict[str, Any]:
    """Take all measurements, interleaved."""
    collect: dict[str, list[float]] = {engine: [] for engine in ENGINES}
    update: dict[str, list[float]] = {block: [] for block in BLOCKS}
    for _ in range(ROUNDS):
        for engine in ENGINES:
            with TemporaryDirectory() as folder:
                collect[engine] += collection_times(engine, Path(folder))
        for block in BLOCKS:
            with TemporaryDirectory() as folder:
                update[block].append(statistics.fmean(update_times(block, Path(folder))))
    return {
        "env_steps_per_second": {engine: 1 / statistics.median(times) for engine, times in collect.items()},
        "update_milliseconds": {block: 1e3 * statistics.median(means) for block, means in update.items()},
    }


def table(record: dict[str, Any]) -> str:
    """Write the record as Markdown."""
    rates, updates = record["env_steps_per_second"], record["update_milliseconds"]
    machine = f"{record['machine']}, {record['threads']} torch threads, commit {record['git_commit']}"
    lines = ["| collecting with engine | env steps/s |", "|---|---|"]
    lines += [f"| `{engine}` | {rate:.0f} |" for engine, rate in rates.items()]
    lines += ["", f"`auto` is {rates['auto'] / rates['torchquantum']:.1f} times `torchquantum`.", ""]
    lines += ["| block | one update, ms |", "|---|---|"]
    lines += [f"| `{block}` | {milliseconds:.1f} |" for block, milliseconds in updates.items()]
    return "\n".join([*lines, "", machine, ""])


def main() -> None:
    """Measure, print, and write `training_speed.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--threads", type=int, default=None)
    options = parser.parse_args()
    quiet_libraries()
    threads = set_threads(options.threads, 1)
    record = measure() | {"machine": cpu_name(), "threads": threads, "git_commit": git_commit(), "versions": versions()}
    (options.out / "training_speed.json").write_text(json.dumps(record, indent=2) + "\n")
    print(table(record))


if __name__ == "__main__":
    main()
