import numpy as np
import pytest
import torch
from torch.testing import assert_close

from qtrl.nn.critics.distribution import cross_entropy, mean, projected, smaller_of

SUPPORT = torch.linspace(-2.0, 2.0, 5)


def slow_projection(probabilities, reward, discount, support):
    """Algorithm 1 of arXiv:1707.06887, a loop over rows and bins."""
    low, high, width = support[0], support[-1], support[1] - support[0]
    result = np.zeros_like(probabilities)
    for row in range(len(reward)):
        for bin_, probability in enumerate(probabilities[row]):
            moved = min(max(reward[row] + discount[row] * support[bin_], low), high)
            position = min((moved - low) / width, len(support) - 1)  # rounding
            lower, upper = int(np.floor(position)), int(np.ceil(position))
            if lower == upper:  # the paper loses what falls onto a bin
                result[row, lower] += probability
            else:
                result[row, lower] += probability * (upper - position)
                result[row, upper] += probability * (position - lower)
    return result


@pytest.mark.parametrize(("bins", "bound"), [(2, 1.0), (5, 2.0), (101, 5.0)])
def test_projection_is_that_of_the_paper(bins, bound):
    generator = torch.Generator().manual_seed(bins)
    support = torch.linspace(-bound, bound, bins, dtype=torch.float64)
    probabilities = torch.randn(40, bins, generator=generator, dtype=torch.float64).mul(3).softmax(1)
    reward = torch.randn(40, generator=generator, dtype=torch.float64) * bound
    discount = torch.rand(40, generator=generator, dtype=torch.float64)
    reward[:4], discount[:8] = torch.tensor([0.0, bound, -bound, 100.0]), torch.tensor([1.0, 0.0] * 4)
    result = projected(probabilities, reward, discount, support)
    expected = slow_projection(*(part.numpy() for part in (probabilities, reward, discount, support)))
    assert_close(result, torch.from_numpy(expected))
    assert_close(result.sum(1), torch.ones_like(reward))


def test_projection_by_hand():
    probabilities = torch.tensor([[0.0, 0.0, 1.0, 0.0, 0.0], [0.5, 0.0, 0.0, 0.0, 0.5], [0.0, 0.0, 0.0, 0.0, 1.0]])
    result = projected(probabilities, torch.tensor([0.25, 1.5, 0.5]), torch.tensor([0.9, 0.0, 1.0]), SUPPORT)
    expected = [[0.0, 0.0, 0.75, 0.25, 0.0], [0.0, 0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.0, 0.0, 1.0]]
    assert_close(result, torch.tensor(expected))  # the second state is terminal, the third beyond the end


def test_within_the_support_the_mean_is_that_of_the_bellman_equation():
    probabilities = torch.randn(30, 5).softmax(1)
    reward, discount = torch.rand(30) * 0.4 - 0.2, torch.full((30,), 0.9)
    result = mean(projected(probabilities, reward, discount, SUPPORT), SUPPORT)
    assert_close(result, reward + 0.9 * mean(probabilities, SUPPORT))


def test_the_smaller_distribution_is_that_with_the_smaller_mean_row_by_row():
    low, high = torch.tensor([9.0, 0.0, 0.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 0.0, 0.0, 9.0])
    logits = torch.stack([torch.stack([low, high]), torch.stack([high, low])])
    assert_close(smaller_of(logits, SUPPORT), low.softmax(0).expand(2, 5))


def test_cross_entropy_by_hand():
    logits = torch.tensor([[[0.0, 0.0]], [[1.0, 0.0]]], requires_grad=True)
    target = torch.tensor([[0.25, 0.75]])
    probability = torch.tensor(1.0).sigmoid()
    expected = torch.tensor(2.0).log() - 0.25 * probability.log() - 0.75 * (1 - probability).log()
    loss = cross_entropy(logits, target)
    assert_close(loss, expected)
    assert_close(cross_entropy(logits, target, torch.tensor([3.0])), 3 * expected)
    loss.backward()
    assert_close(logits.grad[:, 0], logits.detach().softmax(2)[:, 0] - target)
