from itertools import chain

import pytest
import torch

from qtrl.data.example_stream import ExampleStream
from qtrl.data.tables import Part
from qtrl.errors import CheckpointError, DataError


def stream(rows=10, **options):
    part = Part(torch.arange(rows, dtype=torch.float32)[:, None], torch.arange(rows), torch.arange(rows))
    return ExampleStream(part, **{"epochs": 2, "batch_size": 4, "seed": 0, **options})


def rows_of(batches):
    return [batch.targets.tolist() for batch in batches]


def test_an_epoch_is_every_row_once_in_equal_parts():
    batches = [batch for batch in stream()]
    assert [len(batch.targets) for batch in batches] == [4, 3, 3] * 2
    assert [batch.env_steps for batch in batches] == [4, 7, 10, 14, 17, 20]
    assert batches[-1].progress == 1.0
    first, second = ([*chain(*rows_of(batches)[i : i + 3])] for i in (0, 3))
    assert sorted(first) == sorted(second) == list(range(10)) and first != second


def test_it_goes_on_anywhere_as_it_would_have():
    whole = rows_of(stream())
    for stop in range(7):
        source, seen = stream(), []
        for batch in source:
            seen.append(batch.targets.tolist())
            if len(seen) == stop:
                break
        resumed = stream()
        resumed.load_state_dict(source.state_dict())
        assert seen[:stop] + rows_of(resumed) == whole if stop else seen == whole


def test_more_epochs_begin_with_the_same_ones():
    assert rows_of(stream(epochs=3))[:6] == rows_of(stream())


def test_ranks_see_rows_of_their_own_and_equally_many():
    parts = [rows_of(stream(rank=rank, world_size=3, epochs=1)) for rank in range(3)]
    assert len({len(part) for part in parts}) == 1
    assert set(chain(*chain(*parts))) == set(range(10))


def test_progress_is_told():
    source, told = stream(), []
    source.listen(told.append)
    for _ in source:
        pass
    assert told == [4, 7, 10, 14, 17, 20] and source.status() == "epoch 2 of 2"


def test_fewer_rows_than_a_minibatch_are_refused():
    with pytest.raises(DataError, match="data.batch_size=16 is more than the 10 training rows"):
        stream(batch_size=16)


def test_another_table_is_refused_when_a_run_goes_on():
    with pytest.raises(CheckpointError, match="not the one that this run began with"):
        stream(fingerprint="b").load_state_dict(stream(fingerprint="a").state_dict())
