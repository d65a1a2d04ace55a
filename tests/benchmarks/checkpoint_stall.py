"""What a save costs training on Humanoid-v4: `python tests/benchmarks/checkpoint_stall.py --out docs/benchmarks`.

A replay of 300,000 rows, full, has got 10,000 new ones since the last save, as `checkpoint_every_env_steps` has it.
Training stands still while they are committed and `last.ckpt` of `humanoid_pqc` is written. Both storages take turns.
"""

import argparse
import hashlib
import json
import os
import statistics
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch
from records import conditions, filled, heading, number, table, timed
from run_parts import RunParts, config
from tensordict import TensorDict

from qtrl.algos import TD3
from qtrl.callbacks import AtomicCheckpointIO
from qtrl.data import STORAGES, Column, Replay
from qtrl.process.quiet import quiet_libraries
from qtrl.process.threads import set_threads

ROWS, NEW_ROWS, CHUNK = 300_000, 10_000, 1_000
PARTS = {
    "fsync": (os, "fsync"),
    "CRC32 of the rows": (zlib, "crc32"),
    "torch.save": (torch, "save"),
    "SHA-256 of the checkpoint": (hashlib, "file_digest"),
}
"""Calls whose seconds are told apart, by their name in the table."""
WHOLE = ("rows", "checkpoint", "save")


def checkpoint_of(module: TD3) -> dict[str, Any]:
    """Return what the checkpoint of a run holds beside its replay: networks, and optimizers that have made a step."""
    optimizers = module.configure_optimizers()
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    for optimizer in optimizers:
        optimizer.step()
    states = [optimizer.state_dict() for optimizer in optimizers]
    return {"state_dict": module.state_dict(), "optimizer_states": states}


def random_rows(columns: tuple[Column, ...]) -> TensorDict:
    """Make as many rows as are written at once."""
    rows = TensorDict(batch_size=[CHUNK])
    for column in columns:
        rows[column.key] = torch.randn(CHUNK, *column.shape).to(column.dtype)
    return rows


@contextmanager
def told_apart() -> Iterator[dict[str, float]]:
    """Book the seconds of `PARTS`."""
    seconds: dict[str, float] = defaultdict(float)

    def booked(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def call_and_book(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                seconds[name] += time.perf_counter() - start

        return call_and_book

    with ExitStack() as stack:
        for name, (owner, attribute) in PARTS.items():
            stack.enter_context(patch.object(owner, attribute, booked(name, getattr(owner, attribute))))
        yield seconds


class Contender:
    """A replay in one storage with a run's checkpoint beside it."""

    def __init__(self, storage: str, columns: tuple[Column, ...], checkpoint: dict[str, Any], folder: Path) -> None:
        self._checkpoint, self._chunk, self._path = checkpoint, random_rows(columns), folder / "last.ckpt"
        size = {"capacity": ROWS, "batch_size": 256, "slack": 2 * NEW_ROWS}
        self._make = lambda: Replay(columns, **size, storage=storage, folder=folder / "replay", seed=0)
        self._replay, self.saves = self._make(), []
        self._extend(ROWS)
        self.first = timed(self._replay.commit)

    def _extend(self, rows: int) -> None:
        for _ in range(rows // CHUNK):
            self._replay.extend(self._chunk)

    def save(self) -> None:
        """Write new rows and book the seconds of the save that follows."""
        self._extend(NEW_ROWS)
        with told_apart() as parts:
            rows = timed(self._replay.commit)
            state = {**self._checkpoint, "replay": self._replay.state_dict()}
            checkpoint = timed(lambda: AtomicCheckpointIO().save_checkpoint(state, self._path))
        self.saves.append({**parts, "rows": rows, "checkpoint": checkpoint, "save": rows + checkpoint})

    def restore(self) -> float:
        """Return the seconds of opening the replay and checking its rows."""
        return timed(lambda: self._make().load_state_dict(self._replay.state_dict()))

    def record(self) -> dict[str, Any]:
        """Return medians in seconds, the longest save, and bytes."""
        medians = {name: statistics.median(save[name] for save in self.saves) for name in (*WHOLE, *PARTS)}
        return {
            "median": medians,
            "longest": max(save["save"] for save in self.saves),
            "first_commit": self.first,
            "restore": statistics.median(self.restore() for _ in range(3)),
            "row_bytes": self._replay.row_bytes,
            "checkpoint_bytes": self._path.stat().st_size,
        }


def measure(rounds: int, folder: Path) -> dict[str, Any]:
    """Return a record of each storage."""
    parts = RunParts(config("experiment=humanoid_pqc", "recipe=local"), folder)
    checkpoint = checkpoint_of(parts.module)
    contenders = {storage: Contender(storage, parts.columns, checkpoint, folder / storage) for storage in STORAGES}
    for _ in range(rounds):
        for contender in contenders.values():
            contender.save()
    return {storage: contender.record() for storage, contender in contenders.items()}


FIGURES: dict[str, Callable[[dict[str, Any]], float]] = {
    "whole save": lambda one: one["median"]["save"],
    "the longest of all": lambda one: one["longest"],
    "commit of the rows": lambda one: one["median"]["rows"],
    "`last.ckpt`": lambda one: one["median"]["checkpoint"],
    **{f"in both: {part}": lambda one, part=part: one["median"][part] for part in PARTS},
    "commit of 300,000 rows at once": lambda one: one["first_commit"],
    "restoring 300,000 rows": lambda one: one["restore"],
}
"""Where in the record of a storage a line of the table stands."""


def report(record: dict[str, Any]) -> str:
    """Write the page."""
    storages = record["storages"]
    rows = [[name, *(number(figure(one)) for one in storages.values())] for name, figure in FIGURES.items()]
    (one, *_) = storages.values()
    parts = [
        "# Checkpoints",
        heading(record),
        filled(
            f"Seconds for which training stands still at a save of `humanoid_pqc` with {ROWS:,} rows of "
            f"{one['row_bytes'] / 1000:.1f} kB in the replay and {NEW_ROWS:,} new ones since the last save, and a "
            f"`last.ckpt` of {one['checkpoint_bytes'] / 1e6:.1f} MB; medians of {record['rounds']} saves."
        ),
        table(["s", *(f"`data.storage={storage}`" for storage in storages)], rows),
        filled(
            "The new rows were written right before the save, so all of them wait for the disk; in a run the system has"
            " written a part of those in memory-mapped files by then. What is restored is read from the system's cache."
        ),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Measure, print, and write `checkpoint_stall.json` and `checkpoints.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--disk", type=Path, default=Path(), help="a folder on the disk to measure; 4 GB are needed")
    options = parser.parse_args()
    quiet_libraries()
    set_threads(None, 1)
    record = {**conditions(), "rounds": options.rounds}
    with TemporaryDirectory(dir=options.disk, prefix="checkpoint_stall_") as folder:
        record["storages"] = measure(options.rounds, Path(folder))
    record["load_average_after"] = os.getloadavg()
    (options.out / "checkpoint_stall.json").write_text(json.dumps(record, indent=2) + "\n")
    (options.out / "checkpoints.md").write_text(report(record))
    print(report(record))


if __name__ == "__main__":
    main()
