import pytest
import torch
from no_waiting import META, NoWaiting
from numbered_rows import KEYS, assert_together, make_replay, make_rows, numbers
from torchrl.data import SliceSampler

from qtrl.data import Replay, storage_device, transition_columns
from qtrl.data.samplers import check_sampler
from qtrl.errors import ConfigError
from qtrl.keys import ACTION, EPISODE, LOST, NEXT_OBSERVATION, OBSERVATION, Q_IN, Q_OUT, REWARD, STEP, TERMINATED
from qtrl.specs import EnvSpec


def held(replay):
    return {number for _ in range(50) for number in numbers(replay.sample())}


def test_a_minibatch_has_the_columns_of_a_transition_and_no_others(tmp_path, storage):
    replay = make_replay(tmp_path, storage)
    replay.extend(make_rows(0, 3))
    rows = replay.sample()
    assert rows.batch_size == (64,)
    assert "truncated_and_other_keys" not in set(rows.keys())
    sizes = {OBSERVATION: 3, ACTION: 2, REWARD: 1, NEXT_OBSERVATION: 3, TERMINATED: 1, Q_IN: 4, Q_OUT: 1}
    for key, size in sizes.items():
        assert rows[key].shape == (64, size)
        assert rows[key].dtype == (torch.bool if key == TERMINATED else torch.float32)


def test_rows_for_others_are_drawn_evenly_and_unnoticed(tmp_path, storage):
    replay, untouched = (make_replay(tmp_path / str(i), storage) for i in range(2))
    for one in (replay, untouched):
        one.extend(make_rows(0, 4))
    generator = torch.Generator().manual_seed(0)
    drawn = torch.tensor(numbers(replay.draw(4000, generator)))
    assert (drawn.bincount() - 1000).abs().max() < 5 * (4000 * 0.25 * 0.75) ** 0.5  # five standard deviations
    assert numbers(replay.sample()) == numbers(untouched.sample())


def test_rows_stay_together(tmp_path, storage):
    replay = make_replay(tmp_path, storage)
    for first in range(0, 21, 3):
        replay.extend(make_rows(first, 3))
    assert_together(replay.sample())


@pytest.mark.parametrize("step", [1, 3, 4])
def test_the_oldest_row_is_overwritten_first(tmp_path, storage, step):
    replay = make_replay(tmp_path, storage)
    for first in range(0, 8 * step, step):
        replay.extend(make_rows(first, step))
        end = first + step
        assert replay.written == end
        assert len(replay) == min(end, 10)
        assert held(replay) == set(range(max(0, end - 10), end))


def test_rows_lie_where_torchrls_writer_puts_them_and_are_drawn_as_its_sampler_says(tmp_path, storage):
    replay = make_replay(tmp_path, storage)
    for first in range(0, 35, 5):
        replay.extend(make_rows(first, 5))
        assert len(replay.buffer) == len(replay) == min(first + 5, 10)
        assert replay.buffer.writer.state_dict() == {"_cursor": (first + 5) % 10, "_write_count": first + 5}
        draws = torch.Generator()
        draws.set_state(replay.state_dict()["generator"])
        drawn, shown = replay.sample(), replay.buffer[:]
        assert torch.equal(drawn["index"], torch.randint(len(replay), (64,), generator=draws))
        assert numbers(drawn) == [numbers(shown)[slot] for slot in drawn["index"].tolist()]
        assert_together(shown)
        assert numbers(shown) == sorted(range(max(0, first - 5), first + 5), key=lambda row: row % 10)
        assert numbers(replay.buffer[torch.tensor([4, 0])]) == [numbers(shown)[4], numbers(shown)[0]]
        assert replay.buffer[4][OBSERVATION][0] == numbers(shown)[4]


def test_rows_that_were_written_cannot_be_changed(tmp_path):
    replay = make_replay(tmp_path)
    replay.extend(make_rows(0, 5))
    with pytest.raises(NotImplementedError, match="written once"):
        replay.buffer[torch.tensor([0])] = make_rows(7, 1)


def test_lost_rows_are_left_out(tmp_path):
    replay, rows = make_replay(tmp_path), make_rows(0, 4)
    rows[LOST] = torch.tensor([[False], [True], [False], [True]])
    replay.extend(rows)
    assert numbers(replay.buffer[:]) == [0, 2]
    rows[LOST] = torch.ones(4, 1, dtype=torch.bool)
    replay.extend(rows)
    assert replay.written == 2


def test_more_rows_at_once_than_the_ring_has_leave_the_newest(tmp_path, storage):
    replay = make_replay(tmp_path, storage)
    replay.extend(make_rows(0, 3))
    replay.extend(make_rows(3, 24))
    assert (replay.written, len(replay)) == (27, 10)
    assert held(replay) == set(range(17, 27))


def test_a_minibatch_is_not_written_again(tmp_path, storage):
    replay = make_replay(tmp_path, storage)
    replay.extend(make_rows(0, 10))
    rows = replay.sample()
    before = rows.clone()
    replay.extend(make_rows(10, 10))
    replay.sample()
    assert all(torch.equal(rows[key], before[key]) for key in KEYS)


def test_every_row_is_equally_likely(tmp_path, storage):
    replay = make_replay(tmp_path, storage, capacity=60, batch_size=1000)
    replay.extend(make_rows(0, 50))
    counts = torch.zeros(50)
    for _ in range(40):
        counts += torch.bincount(torch.tensor(numbers(replay.sample())), minlength=50)
    expected = 40_000 / 50
    assert ((counts - expected) ** 2 / expected).sum() < 85.35  # 99.9 % quantile of chi-square with 49 degrees


def test_rows_of_a_minibatch_are_drawn_with_replacement(tmp_path):
    replay = make_replay(tmp_path)
    replay.extend(make_rows(0, 1))
    assert numbers(replay.sample()) == [0] * 64


def test_a_seed_fixes_the_samples_whatever_the_storage(tmp_path):
    def samples(storage, seed):
        replay = make_replay(tmp_path / f"{storage}{seed}", storage, seed=seed)
        drawn = []
        for first in range(0, 24, 4):
            replay.extend(make_rows(first, 4))
            drawn.append(numbers(replay.sample()))
        return drawn

    assert samples("memory", 0) == samples("memmap", 0)
    assert samples("memory", 0) != samples("memory", 1)


def test_both_storages_give_the_same_minibatches_before_and_after_wrapping(tmp_path, monkeypatch):
    monkeypatch.setattr("qtrl.data.storage.ring.BLOCK_ROWS", 4)
    memory, memmap = (make_replay(tmp_path / storage, storage, slack=3) for storage in ("memory", "memmap"))
    for first in range(0, 90, 3):
        for one in (memory, memmap):
            one.extend(make_rows(first, 3))
        ours, theirs = memory.sample(), memmap.sample()
        assert all(torch.equal(ours[key], theirs[key]) for key in KEYS)
        assert torch.equal(memory.buffer[:][OBSERVATION], memmap.buffer[:][OBSERVATION])


def test_sampling_leaves_the_global_stream_alone(tmp_path):
    replay = make_replay(tmp_path)
    replay.extend(make_rows(0, 5))
    before = torch.get_rng_state()
    replay.sample()
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("sizes", [{"capacity": 0}, {"batch_size": 0}, {"capacity": -3}])
def test_sizes_below_one_are_refused(tmp_path, sizes):
    with pytest.raises(ConfigError, match="must be at least 1"):
        make_replay(tmp_path, **sizes)


def test_an_unknown_storage_is_refused_with_the_choices(tmp_path):
    with pytest.raises(ConfigError, match=r"data\.storage='tape' is unknown; choose one of memory, memmap, device"):
        make_replay(tmp_path, "tape")


def test_a_million_humanoid_rows_take_less_than_six_gigabytes(tmp_path):
    columns = transition_columns(EnvSpec("Humanoid-v4", 376, 17), {"layer": (220, 10)})
    replay = Replay(columns, capacity=1, batch_size=1, storage="memory", folder=tmp_path, seed=0)
    assert replay.row_bytes == 4 * (376 + 17 + 1 + 376 + 220 + 10) + 1
    assert replay.row_bytes * 1_000_000 < 6e9


@pytest.mark.parametrize("extended", [4, 10, 25])
def test_recent_rows_are_drawn_evenly_from_the_newest(tmp_path, storage, extended):
    replay = make_replay(tmp_path, storage)
    for first in range(extended):
        replay.extend(make_rows(first, 1))
    drawn = [number for _ in range(40) for number in numbers(replay.sample_recent(5))]
    newest = range(max(0, extended - 5), extended)
    assert set(drawn) == set(newest) and len(drawn) == 40 * 64
    assert min(map(drawn.count, newest)) > 0.7 * len(drawn) / len(newest)


def test_rows_lie_on_the_gpu_that_learns_or_nowhere():
    gpu = torch.device("cuda", 3)
    assert [storage_device(name, gpu).type for name in ("memory", "memmap", "device")] == ["cpu", "cpu", "cuda"]
    with pytest.raises(ConfigError, match="needs a GPU that learns: set trainer=gpu"):
        storage_device("device", torch.device("cpu"))
    with pytest.raises(ConfigError, match=r"set data\.storage=memory"):
        sampler = SliceSampler(slice_len=4, traj_key=EPISODE, step_key=STEP, fragmented=True)
        check_sampler(sampler, capacity=10, in_memory=True, device=gpu)


def test_rows_on_an_accelerator_are_added_and_drawn_without_waiting_for_it(tmp_path):
    replay = make_replay(tmp_path, "device", device=META)
    replay.extend(make_rows(0, 3))
    with NoWaiting():
        replay.extend(make_rows(3, 12))  # round the end of the ring
        drawn = (replay.sample(), replay.sample_recent(5), replay.draw(2, torch.Generator()))
        moved = replay.sample().to(META, non_blocking=True)
    assert all(rows[key].device == META for rows in drawn for key in KEYS)
    assert {tensor.device for tensor in moved.values(include_nested=True, leaves_only=True)} == {META}
