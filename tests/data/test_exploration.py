import pytest
import torch

from qtrl.data import GaussianNoise, HeldNoise, SpreadNoise
from qtrl.errors import CheckpointError, ConfigError


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("count", "sizes"), [(4, (0.1, 0.2, 0.3, 0.4)), (1, (0.25,))])
def test_the_size_of_spread_noise_differs_between_environments(count, sizes):
    action = SpreadNoise(0.1, 0.4)(torch.zeros(count, 20_000), generator())
    for noisy, size in zip(action, sizes, strict=True):
        inside = noisy[noisy.abs() < 1]
        assert inside.std().item() == pytest.approx(size, rel=0.05)


def runs(noise, steps=4000, count=3):
    """How long each noise was held, in each environment."""
    source, lengths = generator(), [[] for _ in range(count)]
    last = None
    for _ in range(steps):
        now = noise(torch.zeros(count, 2), source)
        for i in range(count):
            if last is not None and torch.equal(now[i], last[i]):
                lengths[i][-1] += 1
            else:
                lengths[i].append(1)
        last = now
    return lengths


def test_noise_is_held_for_as_long_as_its_law_says():
    lengths = runs(HeldNoise(0.2, longest=4))
    assert lengths[0] != lengths[1]
    drawn = torch.tensor([length for own in lengths for length in own[:-1]])
    shares = torch.bincount(drawn, minlength=6)[1:] / len(drawn)
    law = torch.tensor([1.0, 1 / 4, 1 / 9, 1 / 16, 0.0])
    assert torch.allclose(shares, law / law.sum(), atol=0.02)


def test_held_noise_has_its_deviation_and_stays_within_one():
    action = HeldNoise(0.2)(torch.zeros(4000, 2), generator())
    assert action.std().item() == pytest.approx(0.2, rel=0.05)
    assert HeldNoise(5.0)(torch.zeros(40, 2), generator()).abs().max() == 1


def test_held_noise_goes_on_from_its_state():
    noise, source = HeldNoise(0.2), generator()
    for _ in range(5):
        noise(torch.zeros(6, 2), source)
    back, its_source = HeldNoise(0.2), generator()
    back.load_state_dict(noise.state_dict())
    its_source.set_state(source.get_state())
    for _ in range(20):
        assert torch.equal(noise(torch.zeros(6, 2), source), back(torch.zeros(6, 2), its_source))


@pytest.mark.parametrize(
    "state",
    [
        7,
        {"held": 1, "left": 2},
        {"held": torch.zeros(2, 1), "left": torch.zeros(3, dtype=torch.int64)},
        {"held": torch.full((1, 1), torch.nan), "left": torch.zeros(1, dtype=torch.int64)},
        {"held": torch.zeros(1, 1), "left": -torch.ones(1, dtype=torch.int64)},
    ],
)
def test_a_malformed_state_is_refused(state):
    with pytest.raises(CheckpointError, match="held noise is"):
        HeldNoise().load_state_dict(state)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: GaussianNoise(-1.0), "GaussianNoise: noise is -1"),
        (lambda: SpreadNoise(-1.0), "SpreadNoise: low is -1"),
        (lambda: SpreadNoise(0.5, 0.4), "SpreadNoise: low is 0.5, expected at most high"),
        (lambda: HeldNoise(longest=0), "HeldNoise: longest is 0"),
        (lambda: HeldNoise(angle_noise=-1.0), "HeldNoise: angle_noise is -1"),
    ],
)
def test_numbers_out_of_range_are_refused(make, what):
    with pytest.raises(ConfigError, match=what):
        make()
