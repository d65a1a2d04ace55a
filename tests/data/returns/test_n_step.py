import numpy as np
import pytest
import torch
from numbered_rows import COLUMNS, make_replay
from tensordict import TensorDict

from qtrl.data import NStep
from qtrl.errors import CheckpointError
from qtrl.keys import DISCOUNT, DONE, LOST, NEXT_OBSERVATION, OBSERVATION, REWARD, TERMINATED

GAMMA = 0.5


def step(numbers, *, ended=(), lost=(), terminated=()):
    """One env step of as many environments: observation t, next one t + 1, reward 1."""
    number = torch.tensor(numbers, dtype=torch.float32)[:, None]
    rows = TensorDict({column.key: number.expand(-1, *column.shape).clone() for column in COLUMNS}, [len(number)])
    rows[NEXT_OBSERVATION], rows[REWARD] = rows[OBSERVATION] + 1, torch.ones(len(number), 1)
    for key, environments in ((DONE, {*ended, *lost, *terminated}), (LOST, lost), (TERMINATED, terminated)):
        rows[key] = torch.tensor([[environment in environments] for environment in range(len(number))])
    return rows


def stored(replay):
    rows = replay.buffer[:]
    columns = rows[OBSERVATION][:, 0], rows[NEXT_OBSERVATION][:, 0], rows[REWARD][:, 0], rows[DISCOUNT]
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.fixture
def replay(tmp_path):
    return make_replay(tmp_path, capacity=100, transform=NStep(3, GAMMA))


def test_rows_span_three_steps_or_end_with_their_episode(replay):
    for number in range(8):
        replay.extend(step([number, number + 100], ended=[0] if number == 4 else []))
    one, other = (stored(replay)[environment::2] for environment in range(2))
    assert one == [(0, 3, 1.75, 0.125), (1, 4, 1.75, 0.125), (2, 5, 1.75, 0.125), (3, 5, 1.5, 0.25), (4, 5, 1, 0.5)]
    assert other == [(100 + number, 103 + number, 1.75, 0.125) for number in range(5)]


def test_a_row_says_whether_its_last_step_terminated(replay):
    for number in range(8):
        replay.extend(step([number], terminated=[0] if number == 3 else []))
    assert replay.buffer[:][TERMINATED][:, 0].tolist() == [False, True, True, True, False]


def test_no_row_has_a_lost_step_in_it(replay):
    for number in range(9):
        replay.extend(step([number, number], lost=[1] if number == 4 else []))
    assert [row[0] for row in stored(replay)] == [0, 0, 1, 1, 2, 3, 4, 5, 5]
    assert set(stored(replay)) == {(number, number + 3, 1.75, 0.125) for number in range(6)}


def test_no_row_goes_over_an_interruption(replay):
    for number in range(9):
        if number == 4:
            replay.interrupt(np.array([True, False]))
        replay.extend(step([number, number]))
    assert [row[0] for row in stored(replay)] == [0, 0, 1, 2, 3, 4, 4, 5, 5]


def test_steps_that_are_not_in_the_replay_yet_are_in_the_checkpoint(replay, tmp_path):
    replay.extend(step([0, 100]))
    replay.extend(step([1, 101]))
    replay.commit()
    state = replay.state_dict()
    back = make_replay(tmp_path, capacity=100, transform=NStep(3, GAMMA))
    back.load_state_dict(state)
    for number in range(2, 6):
        for one in (replay, back):
            one.extend(step([number, number + 100]))
    assert stored(back) == stored(replay) != []


MALFORMED = {
    "no steps": None,
    "another type": {"_extra_state": 3},
    "no tensors": {"_extra_state": {"action": 3}},
    "not finite": {"_extra_state": {"action": torch.full((2, 2, 2), torch.nan)}},
    "too few dimensions": {"_extra_state": {"action": torch.ones(2)}},
    "another key": {"steps": {}},
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_steps_are_refused_in_one_line(replay, case):
    replay.commit()
    state = replay.state_dict() | {"transform": MALFORMED[case]}
    with pytest.raises(CheckpointError, match="transform") as error:
        replay.load_state_dict(state)
    assert "\n" not in str(error.value)


def test_steps_of_another_run_are_refused(replay):
    replay.extend(step([0, 1]))
    replay.commit()
    replay.load_state_dict(replay.state_dict())
    with pytest.raises(CheckpointError, match="of another run"):
        replay.extend(step([0]))
