"""A replay and a checkpoint of which every number tells when it was written, saved as a run saves them.

As a script, with N: end a save at every N-th of its calls to the disk, in a fork, and look at what is left.
"""

import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import torch
from faults import KILLED, Faults, injected
from tensordict import TensorDict

from qtrl.callbacks import AtomicCheckpointIO
from qtrl.data import Replay, transition_columns
from qtrl.files.checkpoint import read_checkpoint
from qtrl.specs import EnvSpec

CAPACITY, SLACK, PIECE = 10, 8, 4
COLUMNS = transition_columns(EnvSpec("Numbers-v0", 3, 1), {"layer": (2, 2)})
STORAGES = ("memory", "memmap")


class Saves:
    """The end of a run's interval: rows were written, then a checkpoint that counts them.

    Args:
        folder: Where both lie.
        storage: The replay's.
    """

    def __init__(self, folder: Path, storage: str) -> None:
        self.path, self._writer = folder / "last.ckpt", AtomicCheckpointIO()
        sizes = {"capacity": CAPACITY, "slack": SLACK, "batch_size": 2, "seed": 0}
        self.replay = Replay(COLUMNS, storage=storage, folder=folder / "replay", **sizes)

    def extend(self, rows: int = PIECE) -> None:
        """Write rows whose every number is the row's."""
        numbers = torch.arange(self.replay.written, self.replay.written + rows)
        row = TensorDict(batch_size=[rows])
        for column in COLUMNS:
            value = numbers % 2 == 1 if column.dtype == torch.bool else numbers.to(column.dtype)
            row[column.key] = value.reshape(-1, *[1] * len(column.shape)).expand(-1, *column.shape).clone()
        self.replay.extend(row)

    def save(self) -> None:
        """Commit the rows, then write the checkpoint."""
        self.replay.commit()
        weights = torch.full((100,), float(self.replay.written))
        self._writer.save_checkpoint(
            {"state_dict": {"weights": weights}, "replay": self.replay.state_dict()}, self.path
        )

    def load(self, path: Path | None = None) -> int:
        """Go on from a checkpoint and its rows; return how many it counts.

        Raises:
            AssertionError: Something in them is of another moment.
        """
        checkpoint, replay = read_checkpoint(path or self.path), self.replay
        replay.load_state_dict(checkpoint["replay"])
        written = replay.written
        assert (checkpoint["state_dict"]["weights"] == written).all()
        rows, seen = replay.draw(400, torch.Generator().manual_seed(0)), None
        for column in COLUMNS:
            values = rows[column.key].reshape(400, -1)
            assert (values == values[:, :1]).all()
            if column.dtype == torch.bool:
                assert seen is not None and torch.equal(values[:, 0], seen % 2 == 1)
            else:
                assert seen is None or torch.equal(values[:, 0], seen)
                seen = values[:, 0]
        assert seen is not None and set(seen.tolist()) == set(range(max(0, written - CAPACITY), written))
        return written


def ended_at(saves: Saves, at: int) -> tuple[int, list[str]]:
    """Write rows and save them in a fork that ends at call `at`; return its status, and its calls if it did not."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        faults = Faults(saves.path.parent, at, ends=True)
        with injected(faults):
            saves.extend()
            saves.save()
        os.write(writer, json.dumps(faults.calls).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        calls = json.loads(said.read() or "[]")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), calls


def survive(folder: Path, storage: str, every: int, ends: Counter) -> list[str]:
    """End a save at its first call, go on from what is left, end `every` calls later, and so on; return the calls."""
    saves, at, status, calls = Saves(folder, storage), 1 - every, KILLED, []
    saves.extend()
    saves.save()
    while status == KILLED:
        at += every
        saves = Saves(folder, storage)
        before = saves.load()
        status, calls = ended_at(saves, at)
        assert status in (0, KILLED), status
        left = Saves(folder, storage).load()
        assert left in (before, before + PIECE), (storage, at, before, left)
        ends["kept" if left == before else "new"] += status == KILLED
        previous = saves.path.with_name("last.ckpt.prev")
        assert not previous.exists() or Saves(folder, storage).load(previous) <= left
    return calls


def main() -> None:
    """Count the ends that were survived."""
    ends, calls = Counter(), Counter()
    for storage in STORAGES:
        with tempfile.TemporaryDirectory() as folder:
            calls.update(survive(Path(folder), storage, int(sys.argv[1]), ends))
    print(json.dumps({"ends": ends, "calls": calls}))


if __name__ == "__main__":
    sys.exit(main())
