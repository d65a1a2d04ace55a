import copy

import pytest
import torch
from torch.optim import Adam

from qtrl.algos import FusedAdam

OPTIONS = [{}, {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-4}, {"weight_decay": 0.1}, {"maximize": True}]


def make_parameters(device="cpu"):
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, device=device)) for shape in ((3, 4), (5,), ())]


def step(optimizer, parameters, seed, without=()):
    torch.manual_seed(seed)
    for i, parameter in enumerate(parameters):
        gradient = torch.randn_like(parameter)
        parameter.grad = None if i in without else gradient
    optimizer.step()


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("without", [(), (1,), (0, 1, 2)])
def test_steps_are_adams_bit_for_bit(options, without):
    ours, theirs = make_parameters(), make_parameters()
    optimizers = FusedAdam(ours, **options), Adam(theirs, fused=True, **options)
    for seed in range(5):
        for optimizer, parameters in zip(optimizers, (ours, theirs), strict=True):
            step(optimizer, parameters, seed, without if seed % 2 else ())
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)


def test_groups_have_learning_rates_of_their_own():
    ours, theirs = make_parameters(), make_parameters()
    optimizers = [
        make([{"params": parameters[:1], "lr": 0.1}, {"params": parameters[1:]}], lr=0.01)
        for make, parameters in ((FusedAdam, ours), (lambda *a, **k: Adam(*a, fused=True, **k), theirs))
    ]
    for optimizer, parameters in zip(optimizers, (ours, theirs), strict=True):
        step(optimizer, parameters, 0)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kinds", [(Adam, FusedAdam), (FusedAdam, Adam)])
def test_state_is_exchanged_with_adam(kinds):
    first, second = kinds
    parameters = make_parameters()
    optimizer = first(parameters, fused=True) if first is Adam else first(parameters)
    step(optimizer, parameters, 0)
    others = [torch.nn.Parameter(parameter.detach().clone()) for parameter in parameters]
    other = second(others, fused=True) if second is Adam else second(others)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step(optimizer, parameters, 1)
    step(other, others, 1)
    for one, another in zip(parameters, others, strict=True):
        assert torch.equal(one, another)


def test_a_closure_is_called_with_gradients_and_its_value_returned():
    (parameter,) = make_parameters()[:1]
    optimizer = FusedAdam([parameter])

    def closure():
        loss = parameter.square().sum()
        loss.backward()
        return loss

    before = parameter.detach().clone()
    assert optimizer.step(closure).item() == pytest.approx(before.square().sum().item())
    assert not torch.equal(parameter, before)


@pytest.mark.parametrize("scale", [torch.tensor(8.0), None])  # None: unscaled before
def test_gradients_of_a_scaler_are_unscaled_and_dropped_where_infinite(scale):
    ours, theirs = make_parameters(), make_parameters()
    for found_inf in (0.0, 1.0):
        for optimizer, parameters in ((FusedAdam(ours), ours), (Adam(theirs, fused=True), theirs)):
            optimizer.grad_scale, optimizer.found_inf = scale, torch.tensor(found_inf)
            step(optimizer, parameters, 0)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)


def test_gradients_are_forgotten_or_set_to_zero():
    parameters = make_parameters()
    optimizer = FusedAdam(parameters)
    step(optimizer, parameters, 0)
    optimizer.zero_grad(set_to_none=False)
    assert all(not parameter.grad.any() for parameter in parameters)
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in parameters)
