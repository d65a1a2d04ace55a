import math

import pytest
import torch
from torch import nn

from qtrl.errors import ConfigError
from qtrl.nn import FC, RBG, Critic, Direct, HybridActor, QtDNNEstimator, Zeros


def widths(net: nn.Module) -> list[tuple[int, int]]:
    return [(layer.in_features, layer.out_features) for layer in net.modules() if isinstance(layer, nn.Linear)]


def test_sizes_of_table_1() -> None:
    actor = HybridActor(376, 17, Zeros(220, 10))
    assert widths(actor.pre) == [(376, 256), (256, 230)]
    assert widths(actor.post) == [(20, 256), (256, 17)]
    assert widths(QtDNNEstimator(220, 10)) == [(220, 2048), (2048, 10)]
    assert widths(Critic(376, 17)) == [(376, 256), (273, 256), (256, 1)]


def test_shapes_of_every_output() -> None:
    actor = HybridActor(7, 3, FC(5, 4), hidden=8, links=2)
    action = actor(torch.randn(6, 7))
    assert (action.shape, *(value.shape for value in actor.layer.pair)) == ((6, 3), (6, 5), (6, 4))
    assert action.abs().max() <= 1


def fill(layer: nn.Linear, weight: list[list[float]]) -> None:
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
        layer.bias.zero_()


def test_wiring_by_hand_set_weights() -> None:
    """One observation x = 2 gives q_in = (x, 3x) * 0.5 and link = -x; the block doubles the sum of q_in."""
    actor = HybridActor(1, 2, FC(2, 1), hidden=1, links=1, angle_scale=0.5)
    fill(actor.pre[0], [[1.0]])
    fill(actor.pre[2], [[1.0], [3.0], [-1.0]])
    fill(actor.layer.block.linear, [[2.0, 2.0]])
    fill(actor.post[0], [[0.1, 0.2]])
    fill(actor.post[2], [[1.0], [-2.0]])
    x = torch.tensor([[2.0]])

    q_in, links = actor.encode(x)
    assert q_in.tolist() == [[1.0, 3.0]]
    assert links.tolist() == [[-2.0]]  # the scale is for angles alone
    action = actor(x)
    assert actor.layer.pair[1].tolist() == [[8.0]]
    hidden = 0.1 * 8 + 0.2 * -2  # q_out first, then the link
    torch.testing.assert_close(action, torch.tensor([[math.tanh(hidden), math.tanh(-2 * hidden)]]))


def test_the_actor_works_without_links() -> None:
    actor = HybridActor(3, 1, FC(2, 2), hidden=4, links=0)
    _, links = actor.encode(torch.zeros(5, 3))
    assert links.shape == (5, 0)
    assert actor(torch.zeros(5, 3)).shape == (5, 1)


def test_the_generator_reaches_the_block() -> None:
    actor = HybridActor(3, 1, RBG(2, 16), hidden=4, links=1)
    seeds = [torch.Generator().manual_seed(seed) for seed in (0, 0, 1)]
    first, same, other = ((actor(torch.zeros(1, 3), generator), actor.layer.pair[1])[1] for generator in seeds)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"observation_size": 0}, "observation_size is 0"),
        ({"action_size": -1}, "action_size is -1"),
        ({"hidden": 0}, "hidden is 0"),
        ({"hidden": 2.5}, "hidden is 2.5, expected a whole number"),
        ({"links": -1}, "links is -1"),
        ({"links": 0.5}, "links is 0.5"),
        ({"angle_scale": 0.0}, "angle_scale is 0.0"),
        ({"angle_scale": math.nan}, "angle_scale is nan"),
        ({"angle_bound": "box"}, "angle_bound is 'box', expected tanh, norm or null"),
        ({"q_out_scale": 0.0}, "q_out_scale is 0.0"),
    ],
)
def test_impossible_numbers_are_refused_by_name(change: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        HybridActor(**({"observation_size": 3, "action_size": 1, "block": Zeros(2, 2)} | change))


def test_an_estimator_is_made_where_the_block_wants_one() -> None:
    made = [HybridActor(3, 1, RBG(4, 2, surrogate=wanted), QtDNNEstimator).layer.estimator for wanted in (True, False)]
    assert [type(estimator).__name__ for estimator in made] == ["QtDNNEstimator", "Direct"]
    assert isinstance(HybridActor(3, 1, RBG(4, 2, surrogate=True)).layer.estimator, Direct)


def base_of(number: float) -> FC:
    block = FC(2, 1)
    block.base.fill_(number)
    return block


def test_angles_count_from_the_base_and_may_be_bounded() -> None:
    observation = 100 * torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    far = {}
    for bound in (None, "tanh", "norm"):
        torch.manual_seed(0)
        actor = HybridActor(3, 1, base_of(1.5), hidden=4, links=1, angle_scale=0.1, angle_bound=bound)
        far[bound] = (actor.encode(observation)[0] - 1.5) / 0.1
    torch.testing.assert_close(far[None], actor.pre(observation)[:, :2], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(far["tanh"], far[None].tanh(), rtol=1e-4, atol=1e-4)
    assert far["norm"].square().mean(dim=1).max() < 1 + 1e-5
    cosine = torch.cosine_similarity(far["norm"], far[None])
    torch.testing.assert_close(cosine, torch.ones(5))  # the direction stays


def test_the_post_network_reads_outputs_centered_and_scaled() -> None:
    torch.manual_seed(0)
    actor = HybridActor(3, 1, FC(2, 1), hidden=4, links=1, q_out_center=0.5, q_out_scale=10.0)
    q_out, links = torch.tensor([[0.6]]), torch.tensor([[3.0]])
    torch.testing.assert_close(actor.decode(q_out, links), torch.tanh(actor.post(torch.tensor([[1.0, 3.0]]))))
