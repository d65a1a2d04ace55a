import pytest
import torch

from qtrl.data import DiscountedReturns
from qtrl.errors import CheckpointError


def make(gamma=0.5):
    seen = []
    return DiscountedReturns(gamma, lambda returns: seen.append(returns.tolist())), seen


def add(returns, reward, done=(False, False), kept=(True, True)):
    returns.add(torch.tensor(reward), torch.tensor(done), torch.tensor(kept))


def test_returns_by_hand():
    returns, seen = make()
    add(returns, [1.0, 10.0])
    add(returns, [2.0, 20.0], done=(True, False))
    add(returns, [4.0, 0.0], kept=(True, False))  # the second environment was lost
    add(returns, [8.0, 80.0])
    returns.forget(torch.tensor([True, False]))
    add(returns, [1.0, 1.0])
    assert seen == [[1.0, 10.0], [2.5, 25.0], [4.0], [10.0, 80.0], [1.0, 41.0]]


def test_they_go_on_from_a_checkpoint():
    returns, seen = make()
    returns.load_state_dict(returns.state_dict())
    add(returns, [1.0, 10.0])
    back, its_own = make()
    back.load_state_dict(returns.state_dict())
    for one in (returns, back):
        add(one, [1.0, 1.0])
    assert seen[-1] == its_own[-1] == [1.5, 6.0]


def test_another_number_of_environments_begins_anew():
    returns, seen = make()
    add(returns, [1.0, 10.0])
    returns.add(torch.tensor([3.0]), torch.tensor([False]), torch.tensor([True]))
    assert seen[-1] == [3.0]


@pytest.mark.parametrize("state", [7, {"running": 1}, {"running": torch.tensor([float("nan")], dtype=torch.float64)}])
def test_a_malformed_state_is_refused(state):
    with pytest.raises(CheckpointError, match="discounted returns are malformed"):
        make()[0].load_state_dict(state)
