import torch
from torch import nn

from qtrl.nn import FC, HybridActor, frozen_copy, polyak_


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
    target = frozen_copy(source)
    before = target.weight.data_ptr()
    polyak_(target, source, 0.5)
    assert target.weight.data_ptr() == before
    assert target.weight.grad_fn is None
    polyak_(nn.Identity(), nn.Identity(), 0.5)


def test_a_frozen_copy_shares_nothing_and_needs_no_gradient() -> None:
    actor = HybridActor(3, 2, FC(4, 2), hidden=4, links=1)
    copy = frozen_copy(actor)
    observation = torch.randn(5, 3)
    assert type(copy) is HybridActor
    assert torch.equal(copy(observation).action, actor(observation).action)
    assert not any(parameter.requires_grad for parameter in copy.parameters())
    assert all(parameter.requires_grad for parameter in actor.parameters())
    with torch.no_grad():
        actor.block.linear.bias.add_(1.0)
    assert not torch.equal(copy(observation).action, actor(observation).action)
