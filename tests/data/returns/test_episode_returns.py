import numpy as np
import torch

from qtrl.data.returns.episode_returns import EpisodeReturns


def test_episode_returns_by_hand():
    episodes = EpisodeReturns()
    add = episodes.add
    add(torch.tensor([1.0, 10.0]), torch.tensor([False, False]))
    add(torch.tensor([2.0, 20.0]), torch.tensor([True, False]))
    add(torch.tensor([4.0, 40.0]), torch.tensor([False, True]))
    assert (episodes.pop(), episodes.count) == ([(3.0, 2), (70.0, 3)], 2)
    assert episodes.pop() == []
    add(torch.tensor([8.0, 80.0]), torch.tensor([True, True]))
    assert (episodes.pop(), episodes.count) == ([(12.0, 2), (80.0, 1)], 4)


def add(episodes, *done):
    number, step = episodes.positions(len(done))
    episodes.add(torch.ones(len(done)), torch.tensor(done))
    return number[:, 0].tolist(), step[:, 0].tolist()


def test_every_row_has_the_number_of_its_episode_and_step_whatever_ends_it():
    episodes = EpisodeReturns()
    assert add(episodes, False, True) == ([0, 1], [0, 0])
    assert add(episodes, False, False) == ([0, 2], [1, 0])
    episodes.forget(np.array([True, False]))  # not gone on with
    back = EpisodeReturns()
    back.load_state_dict(episodes.state_dict())
    for one in (episodes, back):
        assert add(one, True, True) == ([3, 2], [0, 1])
        assert add(one, False, False) == ([4, 5], [0, 0])
