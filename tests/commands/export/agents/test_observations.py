import os

import numpy as np
import pytest
import torch
from torch import nn

from qtrl.commands.export.agents.observations import REPLAY, draw_observations
from qtrl.nn import RunningNorm


def drawn(folder, actor, count=6, **checkpoint):
    checkpoint = {"env_steps": 0, **checkpoint}
    return draw_observations(folder, checkpoint, actor, size=2, count=count, seed=0)


@pytest.fixture
def replay(tmp_path):
    """Ten rows, of which the last two were never written and one is not finite."""
    rows = np.arange(1, 21, dtype=np.float32).reshape(10, 2)
    rows[8:] = 0
    rows[3, 1] = np.nan
    (tmp_path / REPLAY).parent.mkdir(parents=True)
    (tmp_path / REPLAY).write_bytes(rows.tobytes())
    return tmp_path


def test_those_of_the_replay_come_once_each_without_rows_that_are_none(replay):
    observations, source = drawn(replay, nn.Identity(), count=20, collected_env_steps=50)
    assert source == "the run's replay" and observations.dtype == torch.float32
    assert sorted(observations[:, 0].tolist()) == [1, 3, 5, 9, 11, 13, 15]
    assert len(drawn(replay, nn.Identity(), count=3, collected_env_steps=50)[0]) == 3


def test_no_more_rows_than_env_steps_are_read(replay):
    assert sorted(drawn(replay, nn.Identity(), collected_env_steps=2)[0][:, 0].tolist()) == [1, 3]
    assert sorted(drawn(replay, nn.Identity(), env_steps=1)[0][:, 0].tolist()) == [1]


def test_a_file_that_claims_to_be_huge_takes_no_memory(replay):
    os.truncate(replay / REPLAY, 2**42)  # a hole, which takes no room on the disk either
    observations, source = drawn(replay, nn.Identity(), collected_env_steps=10**15)
    assert len(observations) == 6 and "standard normal" in source


def test_without_a_replay_they_are_as_the_normalization_has_seen_them(tmp_path):
    norm = RunningNorm(2)
    norm.update(torch.tensor([[0.0, 100.0], [2.0, 104.0]]))
    observations, source = drawn(tmp_path, nn.Sequential(norm), count=5_000)
    assert "normalization" in source
    assert torch.allclose(observations.mean(0), torch.tensor([1.0, 102.0]), atol=0.1)
    assert torch.allclose(observations.std(0), torch.tensor([1.0, 2.0]), atol=0.1)


def test_without_either_they_are_standard_normal(tmp_path):
    one, source = drawn(tmp_path, nn.Identity())
    assert "standard normal" in source
    assert one.shape == (6, 2) and torch.equal(one, drawn(tmp_path, nn.Identity())[0])
