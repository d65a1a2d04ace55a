import pytest
import torch
from numbered_rows import make_replay, make_rows, numbers
from torchrl.data import PrioritizedSampler, SamplerWithoutReplacement, SliceSampler

from qtrl.errors import CheckpointError, ConfigError
from qtrl.keys import DONE, EPISODE, PRIORITY_WEIGHT, STEP


def prioritized(folder, storage="memory", **more):
    return make_replay(folder, storage, sampler=PrioritizedSampler(10, alpha=1.0, beta=0.5), slack=4, **more)


def prefer(replay, wanted):
    """Sample until the wanted rows have the priority 9, and all others 1."""
    for _ in range(20):
        rows = replay.sample()
        errors = torch.tensor([9.0 if number in wanted else 1.0 for number in numbers(rows)])
        replay.priorities_of(rows)(errors)


def test_rows_are_drawn_in_proportion_to_their_priority_also_after_wrapping(tmp_path, storage):
    replay = prioritized(tmp_path, storage, batch_size=1000)
    for first in range(0, 28, 4):
        replay.extend(make_rows(first, 4))
    prefer(replay, {20, 21})
    rows = replay.sample()
    drawn = torch.tensor(numbers(rows)).bincount().tolist()
    assert sum(drawn[20:22]) == pytest.approx(1000 * 18 / 26, rel=0.1)
    assert set(torch.tensor(numbers(rows)).unique().tolist()) == set(range(18, 28))
    light = torch.tensor([number in (20, 21) for number in numbers(rows)])
    torch.testing.assert_close(rows[PRIORITY_WEIGHT][light], torch.full((int(light.sum()),), 1 / 3))
    torch.testing.assert_close(rows[PRIORITY_WEIGHT][~light], torch.ones(int((~light).sum())))


def test_new_rows_have_the_largest_priority(tmp_path):
    replay = prioritized(tmp_path, batch_size=1000)
    replay.extend(make_rows(0, 4))
    prefer(replay, {0})
    replay.extend(make_rows(4, 1))
    counts = torch.tensor(numbers(replay.sample())).bincount().tolist()
    assert counts[4] == pytest.approx(counts[0], rel=0.2)
    assert counts[4] > 3 * counts[1]


def test_priorities_come_back_with_a_checkpoint(tmp_path, storage):
    replay = prioritized(tmp_path, storage)
    replay.extend(make_rows(0, 17))
    prefer(replay, {9, 12})
    replay.commit()
    back = prioritized(tmp_path, storage, seed=7)
    back.load_state_dict(replay.state_dict())
    for first in range(17, 40):
        expected, found = replay.sample(), back.sample()
        assert numbers(found) == numbers(expected)
        assert torch.equal(found[PRIORITY_WEIGHT], expected[PRIORITY_WEIGHT])
        for one, rows in ((replay, expected), (back, found)):
            one.priorities_of(rows)(torch.arange(64) / 10 + 0.1)
            if storage == "memory":
                one.extend(make_rows(first, 1))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("priorities", None),
        ("priorities", torch.ones(9)),
        ("priorities", torch.ones(10, dtype=torch.float64)),
        ("priorities", torch.zeros(10)),
        ("priorities", torch.full((10,), torch.inf)),
        ("largest", "9"),
        ("largest", -1.0),
        ("largest", float("nan")),
        ("largest_slot", 10),
        ("largest_slot", 1.5),
    ],
)
def test_malformed_priorities_are_refused_in_one_line(tmp_path, key, value):
    replay = prioritized(tmp_path)
    replay.extend(make_rows(0, 17))
    replay.commit()
    state = replay.state_dict()
    with pytest.raises(CheckpointError, match="^replay: the priorities in the checkpoint are not those of its rows$"):
        replay.load_state_dict(state | {"sampler": state["sampler"] | {key: value}})


def test_only_a_prioritized_sampler_takes_priorities(tmp_path):
    replay = make_replay(tmp_path)
    replay.extend(make_rows(0, 3))
    assert replay.priorities_of(replay.sample()) is None


def test_a_tree_of_another_size_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"data\.sampler\.max_capacity=7 is not allowed: expected data\.capacity=10"):
        make_replay(tmp_path, sampler=PrioritizedSampler(7, alpha=1.0, beta=0.5))


def slices(**more):
    keys = {"traj_key": EPISODE, "step_key": STEP, "fragmented": True}
    return SliceSampler(slice_len=4, **keys | more)


def test_slices_are_successive_rows_of_one_episode_of_one_environment(tmp_path):
    """Three environments in turn, whose episodes have 7 steps; every tenth row is lost."""
    replay = make_replay(tmp_path, capacity=50, batch_size=40, sampler=slices())
    for time in range(40):
        rows = make_rows(3 * time, 3)
        rows[EPISODE], rows[STEP] = (3 * (time // 7) + torch.arange(3))[:, None], torch.full((3, 1), time % 7)
        rows[DONE] = rows[STEP] == 6
        replay.extend(rows[torch.tensor([number % 10 != 9 for number in numbers(rows)])])
        if time > 5:
            drawn = replay.sample()
            number = torch.tensor(numbers(drawn)).view(10, 4)
            assert (number.diff() == 3).all()  # the next row of the same environment
            assert (number // 21 == number[:, :1] // 21).all()  # the same episode
            assert number.min() >= min(numbers(replay.buffer[:]))


def test_slices_come_back_with_a_checkpoint(tmp_path):
    replay = make_replay(tmp_path, sampler=slices())
    rows = make_rows(0, 8)
    rows[EPISODE], rows[STEP] = torch.zeros(8, 1, dtype=torch.int64), torch.arange(8)[:, None]
    rows[DONE] = torch.zeros(8, 1, dtype=torch.bool)
    replay.extend(rows)
    replay.sample()
    replay.commit()
    back = make_replay(tmp_path, sampler=slices(), seed=8)
    back.load_state_dict(replay.state_dict())
    assert numbers(back.sample()) == numbers(replay.sample())


@pytest.mark.parametrize(
    ("sampler", "storage", "complaint"),
    [
        (SliceSampler(slice_len=4), "memory", "slices need fragmented=true, traj_key=episode and step_key=step"),
        (slices(traj_key="other"), "memory", "slices need fragmented=true, traj_key=episode and step_key=step"),
        (slices(), "memmap", r"slices read whole columns for each minibatch: set data\.storage=memory"),
    ],
)
def test_slices_that_would_be_wrong_or_dear_are_refused(tmp_path, sampler, storage, complaint):
    with pytest.raises(ConfigError, match=complaint):
        make_replay(tmp_path, storage, sampler=sampler)


def test_other_samplers_of_torchrl_resume_with_their_own_state(tmp_path):
    replay = make_replay(tmp_path, batch_size=3, sampler=SamplerWithoutReplacement())
    replay.extend(make_rows(0, 9))
    first = numbers(replay.sample())
    replay.commit()
    back = make_replay(tmp_path, batch_size=3, sampler=SamplerWithoutReplacement())
    back.load_state_dict(replay.state_dict())
    rest = numbers(back.sample()) + numbers(back.sample())
    assert sorted(first + rest) == list(range(9))
