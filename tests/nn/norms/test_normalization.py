import pytest
import torch

from qtrl.errors import ConfigError
from qtrl.nn import FC, HybridActor, RewardScale, RunningNorm, TwinCritic, running_norms, target_copy

SIZE = 3


def rows(count: int, seed: int = 0) -> torch.Tensor:
    scale, shift = torch.tensor([1e-3, 1.0, 50.0]), torch.tensor([5.0, -1.0, 1000.0])
    return torch.randn(count, SIZE, generator=torch.Generator().manual_seed(seed)) * scale + shift


def test_statistics_are_those_of_all_rows_whatever_the_parts() -> None:
    norm, everything = RunningNorm(SIZE), rows(500)
    for part in everything.split([1, 1, 200, 298]):
        norm.update(part)
    torch.testing.assert_close(norm.mean, everything.double().mean(0))
    torch.testing.assert_close(norm.variance, everything.double().var(0, correction=0), rtol=1e-6, atol=0)
    normalized = norm(everything)
    torch.testing.assert_close(normalized.mean(0), torch.zeros(SIZE), atol=1e-3, rtol=0)
    assert norm.count == 500


def test_nothing_is_changed_before_the_first_row_and_by_none() -> None:
    norm = RunningNorm(SIZE)
    norm.update(torch.zeros(0, SIZE))
    assert torch.equal(norm(torch.ones(1, SIZE)), torch.ones(1, SIZE))


def test_values_far_out_and_entries_that_never_vary_are_bounded() -> None:
    norm = RunningNorm(2)
    norm.update(torch.tensor([[1.0, 0.0], [3.0, 0.0]]))
    assert norm(torch.tensor([[2e6, 0.0], [-2e6, 1.0]])).tolist() == [[10, 0], [-10, 10]]


def test_using_it_leaves_the_statistics_alone() -> None:
    actor, critic = HybridActor(SIZE, 1, FC(2, 2), normalize="running"), TwinCritic(SIZE, 1, normalize="running")
    for norm in (*running_norms(actor), *running_norms(critic)):
        norm.update(rows(50))
    before = [{name: value.clone() for name, value in net.state_dict().items()} for net in (actor, critic)]
    critic(rows(5, seed=1), actor(rows(5, seed=1)))
    for net, saved in zip((actor, critic), before, strict=True):
        assert all(torch.equal(value, saved[name]) for name, value in net.state_dict().items())


def test_actor_and_critic_see_normalized_observations() -> None:
    for make in (
        lambda how: HybridActor(SIZE, 1, FC(2, 2), normalize=how),
        lambda how: TwinCritic(SIZE, 1, normalize=how),
    ):
        torch.manual_seed(0)
        plain = make(None)
        torch.manual_seed(0)
        normalizing = make("running")
        normalizing.norm.update(rows(50))
        seen, action = rows(4, seed=1), torch.zeros(4, 1)
        arguments = (action,) if isinstance(plain, TwinCritic) else ()
        with torch.no_grad():
            expected, result = plain(normalizing.norm(seen), *arguments), normalizing(seen, *arguments)
        torch.testing.assert_close(result, expected)


def test_a_target_shares_the_statistics() -> None:
    actor = HybridActor(SIZE, 1, FC(2, 2), normalize="running")
    target = target_copy(actor)
    actor.norm.update(rows(50))
    assert torch.equal(target.norm.mean, actor.norm.mean) and target.norm.count == 50


def test_an_unknown_word_is_refused() -> None:
    with pytest.raises(ConfigError, match="normalize is 'batch', expected running or null"):
        HybridActor(SIZE, 1, FC(2, 2), normalize="batch")


def test_rewards_are_divided_by_the_deviation_of_returns_or_by_their_largest_share_of_the_bound() -> None:
    scale, everything = RewardScale(5.0), torch.tensor([1.0, -2.0, 4.0, 0.5, 3.0])
    assert scale() == 1  # before the first
    for part in everything.split([1, 0, 3, 1]):
        scale.update(part)
    assert scale().item() == pytest.approx(everything.double().std(correction=0).item())
    assert scale.largest == 4 and scale.count == 5
    scale.update(torch.tensor([-1000.0]).repeat(2000))
    assert scale().item() == pytest.approx(200)
    before = scale.state_dict()
    scale()
    assert all(torch.equal(value, before[name]) for name, value in scale.state_dict().items())


def test_rewards_that_are_all_0_leave_a_scale_above_0() -> None:
    scale = RewardScale(5.0)
    scale.update(torch.zeros(3))
    assert 0 < scale() < 1e-6 and torch.zeros(2).div(scale()).eq(0).all()
