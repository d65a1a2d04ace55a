import copy

import torch
from torch import nn

from qtrl.nn import (
    FC,
    RBG,
    HybridActor,
    QtDNNEstimator,
    acting_copy,
    copy_weights_,
    polyak_,
    target_copy,
)


def constant(value: float) -> nn.Module:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    with torch.no_grad():
        for tensor in net.state_dict().values():
            tensor.fill_(value)
    return net


def test_polyak_moves_parameters_by_tau_and_copies_buffers() -> None:
    target, source = constant(1.0), constant(5.0)
    polyak_(target, source, 0.25)
    assert all(parameter.eq(2.0).all() for parameter in target.parameters())  # 1 + 0.25 * (5 - 1)
    assert all(buffer.eq(5.0).all() for buffer in target.buffers())
    assert all(tensor.eq(5.0).all() for tensor in source.state_dict().values())
    polyak_(target, source, 0.25)
    assert all(parameter.eq(2.75).all() for parameter in target.parameters())


def test_polyak_at_its_ends() -> None:
    target = constant(1.0)
    polyak_(target, constant(5.0), 0.0)
    assert all(parameter.eq(1.0).all() for parameter in target.parameters())
    polyak_(target, constant(5.0), 1.0)
    assert all(parameter.eq(5.0).all() for parameter in target.parameters())


def test_polyak_writes_in_place_and_leaves_no_graph() -> None:
    source = nn.Linear(2, 2)
    target = target_copy(source)
    before = target.weight.data_ptr()
    polyak_(target, source, 0.5)
    assert target.weight.data_ptr() == before
    assert target.weight.grad_fn is None
    polyak_(nn.Identity(), nn.Identity(), 0.5)


def test_a_target_shares_nothing_and_needs_no_gradient() -> None:
    actor = HybridActor(3, 2, FC(4, 2), hidden=4, links=1)
    target = target_copy(actor)
    observation = torch.randn(5, 3)
    assert type(target) is HybridActor
    assert torch.equal(target(observation), actor(observation))
    assert not any(parameter.requires_grad for parameter in target.parameters())
    assert all(parameter.requires_grad for parameter in actor.parameters())
    with torch.no_grad():
        actor.layer.block.linear.bias.add_(1.0)
    assert not torch.equal(target(observation), actor(observation))


def fitted_actor() -> HybridActor:
    return HybridActor(3, 2, RBG(4, 2, surrogate=True), QtDNNEstimator, hidden=4, links=1)


def test_a_target_uses_the_estimator_of_its_source_and_neither_owns_nor_moves_it() -> None:
    actor = fitted_actor()
    target = target_copy(actor)
    assert target.layer.estimator is actor.layer.estimator
    assert not [name for name in target.state_dict() if "estimator" in name]
    assert all(parameter.requires_grad for parameter in actor.layer.estimator.parameters())
    before = [parameter.clone() for parameter in actor.layer.estimator.parameters()]
    with torch.no_grad():
        for parameter in actor.parameters():
            parameter.add_(1.0)
    polyak_(target, actor, 0.5)
    after = list(target.layer.estimator.parameters())
    assert all(torch.equal(old + 1.0, new) for old, new in zip(before, after, strict=True))
    torch.testing.assert_close(target.pre[0].weight, actor.pre[0].weight - 0.5)


def test_copies_of_actor_and_target_together_share_one_estimator_again() -> None:
    actor = fitted_actor()
    one, other = copy.deepcopy((actor, target_copy(actor)))
    assert one.layer.estimator is other.layer.estimator is not actor.layer.estimator


def test_a_copy_that_acts_has_no_estimator_and_takes_all_else_over() -> None:
    actor = fitted_actor()
    acting = acting_copy(actor, "cpu")
    assert not list(acting.layer.estimator.parameters())
    with torch.no_grad():
        actor.pre[0].weight.add_(1.0)
    copy_weights_(acting, actor)
    observation, seeds = torch.randn(5, 3), [torch.Generator().manual_seed(0) for _ in range(2)]
    assert torch.equal(acting(observation, seeds[0]), actor(observation, seeds[1]))
