"""Rows whose every field carries the row's number, and what tells whether a replay holds the right ones."""

import torch
from tensordict import TensorDict

from qtrl.data import Replay, transition_columns
from qtrl.keys import OBSERVATION, TERMINATED
from qtrl.specs import EnvSpec

COLUMNS = transition_columns(EnvSpec("toy", 3, 2), {"layer": (4, 1)})
KEYS = [column.key for column in COLUMNS]


def make_replay(folder, storage="memory", *, capacity=10, batch_size=64, seed=0, **more):
    return Replay(COLUMNS, capacity=capacity, batch_size=batch_size, storage=storage, folder=folder, seed=seed, **more)


def make_rows(first, count):
    """Row i holds i everywhere, and is terminal where i is odd."""
    number = torch.arange(first, first + count, dtype=torch.float32)
    rows = TensorDict(batch_size=[count])
    for column in COLUMNS:
        rows[column.key] = number[:, None].expand(count, *column.shape).to(column.dtype)
    rows[TERMINATED] = (number[:, None] % 2).bool()
    rows["truncated_and_other_keys"] = torch.ones(count, 1)
    return rows


def numbers(rows):
    return rows[OBSERVATION][:, 0].int().tolist()


def assert_together(rows):
    number = rows[OBSERVATION][:, :1]
    for key in KEYS:
        if key != TERMINATED:
            assert (rows[key] == number).all(), key
    assert torch.equal(rows[TERMINATED], number % 2 == 1)


def assert_exact(replay, written):
    """Every slot shows the row that it should: none mixed, none of the future, none of the past."""
    assert (replay.written, len(replay)) == (written, min(written, replay.capacity))
    if not written:
        return
    rows = replay.buffer[:]
    assert_together(rows)
    newest = range(max(0, written - replay.capacity), written)
    assert numbers(rows) == sorted(newest, key=lambda row: row % replay.capacity)
    drawn = replay.sample()
    assert_together(drawn)
    assert set(numbers(drawn)) <= set(newest)
