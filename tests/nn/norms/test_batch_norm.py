import pytest
import torch
from torch import nn
from torch.testing import assert_close

from qtrl.nn import BatchNorm, Statistics

CHANNELS = 6


def both(**options):
    own, torchs = BatchNorm(CHANNELS, **options), nn.BatchNorm1d(CHANNELS, momentum=0.01)
    with torch.no_grad():
        for norm in (own, torchs):
            norm.weight.copy_(torch.arange(1.0, CHANNELS + 1))
            norm.bias.fill_(0.5)
    return own, torchs


def buffers(norm):
    return norm.mean.clone(), norm.variance.clone()


def test_it_follows_a_batch_as_torchs_does_in_training():
    own, torchs = both()
    for seed in range(3):
        rows = torch.randn(20, CHANNELS, generator=torch.Generator().manual_seed(seed)) * 3 + 1
        assert_close(own(rows, Statistics.FOLLOWED_BATCH), torchs(rows))
    assert_close(own.mean, torchs.running_mean)
    assert_close(own.variance, torchs.running_var)
    assert_close(own(rows, Statistics.RUNNING), torchs.eval()(rows))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("by", [Statistics.RUNNING, Statistics.BATCH])
def test_nothing_else_changes_the_averages_whatever_the_mode(by, training):
    own, _ = both()
    own(torch.randn(20, CHANNELS) + 4, Statistics.FOLLOWED_BATCH)
    before, rows = buffers(own), torch.randn(20, CHANNELS)
    own.train(training)
    result = own(rows, by)
    assert all(map(torch.equal, buffers(own), before))
    assert torch.equal(own.train(not training)(rows, by), result)


def test_the_first_channels_are_normalized_alone():
    own, _ = both()
    own(torch.randn(20, CHANNELS) + 4, Statistics.FOLLOWED_BATCH)
    rows = torch.randn(20, CHANNELS)
    for by in (Statistics.RUNNING, Statistics.BATCH):
        assert_close(own(rows[:, :3], by), own(rows, by)[:, :3])
