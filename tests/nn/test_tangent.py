"""The approximate actor, with every gradient estimator."""

import copy

import pytest
import torch
from torch import Tensor

from qtrl.errors import ConfigError
from qtrl.meters import Cost
from qtrl.nn import FC, PQC, RBG, Block, Direct, HybridActor, QtDNNEstimator, Zeros, tangent_action
from qtrl.quantum import efficient_su2, make_engine
from qtrl.surrogate import bridge

OBSERVATION, ACTION, N_IN, N_OUT = 5, 2, 8, 2


class CountedPQC(PQC):
    calls = 0

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        self.calls += 1
        return super().forward(q_in, generator)


def pqc(readout: str = "expectation") -> CountedPQC:
    circuit = efficient_su2(N_OUT, reps=1)
    return CountedPQC(N_IN, N_OUT, circuit=circuit, engine=make_engine("statevector"), readout=readout)


def actor_with(block: Block) -> HybridActor:
    return HybridActor(OBSERVATION, ACTION, block, hidden=16, links=3)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def observations() -> Tensor:
    return torch.randn(6, OBSERVATION, generator=seeded(1))


def qtdnn(value: str = "surrogate") -> QtDNNEstimator:
    return QtDNNEstimator(N_IN, N_OUT, hidden=32, value=value)


@pytest.mark.parametrize("block", [FC(N_IN, N_OUT), Zeros(N_IN, N_OUT), RBG(N_IN, N_OUT)], ids=["fc", "zeros", "rbg"])
def test_direct_acts_as_the_actor_itself(block: Block) -> None:
    actor = actor_with(block)
    assert torch.equal(
        tangent_action(actor, Direct(), observations(), seeded()), actor(observations(), seeded()).action
    )
    assert not Direct().trainable
    assert Direct().cost(block, 6, gradient=True) == Cost()


@pytest.mark.parametrize(("block", "passes"), [(FC(N_IN, N_OUT), True), (RBG(N_IN, N_OUT), False)], ids=["fc", "rbg"])
def test_direct_passes_the_blocks_own_gradient(block: Block, passes: bool) -> None:
    actor = actor_with(block)
    tangent_action(actor, Direct(), observations(), seeded()).sum().backward()
    to_angles, to_links = actor.pre[-1].weight.grad[:N_IN], actor.pre[-1].weight.grad[N_IN:]
    assert bool(to_angles.any()) == passes
    assert to_links.any()  # the links go round the block


def test_the_surrogates_value_is_used_without_running_the_circuit() -> None:
    actor, estimator = actor_with(pqc()), qtdnn()
    action = tangent_action(actor, estimator, observations())
    action.sum().backward()
    assert actor.block.calls == 0
    assert actor.pre[-1].weight.grad[:N_IN].any()
    assert estimator.cost(actor.block, 6, gradient=True) == Cost()
    q_in, links = actor.encode(observations())
    assert torch.equal(action, actor.decode(bridge(q_in, estimator.net), links))


def test_the_blocks_value_runs_the_circuit_once_and_keeps_the_surrogates_gradient() -> None:
    actor, estimator = actor_with(pqc()), qtdnn("block")
    action = tangent_action(actor, estimator, observations())
    assert actor.block.calls == 1
    assert torch.equal(action, actor(observations()).action)
    action.sum().backward()
    assert actor.pre[-1].weight.grad[:N_IN].any()
    assert estimator.cost(actor.block, 6, gradient=True) == Cost(circuits=6)


def test_a_frozen_qtdnn_lets_the_gradient_through_and_receives_none() -> None:
    actor, estimator = actor_with(pqc()), qtdnn()
    estimator.requires_grad_(False)
    tangent_action(actor, estimator, observations()).sum().backward()
    assert actor.pre[0].weight.grad.any()
    assert all(parameter.grad is None for parameter in estimator.parameters())
    assert estimator.trainable


def test_the_approximate_actor_follows_the_circuit_after_a_fit() -> None:
    torch.manual_seed(0)
    actor, estimator = actor_with(pqc()), qtdnn()
    out = actor(observations())
    optimizer = torch.optim.Adam(estimator.parameters(), lr=1e-2)
    before = copy.deepcopy(actor.state_dict())
    first = estimator.fit(out.q_in, out.q_out, optimizer=optimizer)
    for _ in range(300):
        last = estimator.fit(out.q_in, out.q_out, optimizer=optimizer)
    assert last.loss_after < first.loss_before
    torch.testing.assert_close(tangent_action(actor, estimator, observations()), out.action, atol=5e-3, rtol=0)
    assert all(torch.equal(before[key], value) for key, value in actor.state_dict().items())


def test_the_fitted_gradient_points_along_the_circuits_exact_one() -> None:
    block, generator = pqc(), seeded()
    q_in = torch.randn(1, N_IN, generator=generator) + 0.3 * torch.randn(256, N_IN, generator=generator)
    torch.manual_seed(0)
    estimator = QtDNNEstimator(N_IN, N_OUT, hidden=256, fit_epochs=300)
    estimator.fit(q_in, block(q_in), optimizer=torch.optim.Adam(estimator.parameters(), lr=1e-2))

    leaf = q_in.requires_grad_()
    (exact,) = torch.autograd.grad(block.executable.expectations(leaf).sum(), leaf)
    (learned,) = torch.autograd.grad(estimator(block, leaf).sum(), leaf)
    assert torch.nn.functional.cosine_similarity(learned.flatten(), exact.flatten(), dim=0) > 0.9


def test_fit_batches_and_epochs_reach_the_fit() -> None:
    estimator = QtDNNEstimator(N_IN, N_OUT, hidden=4, fit_batches=3, fit_epochs=2)
    optimizer = torch.optim.Adam(estimator.parameters())
    losses = []

    def backward(loss: Tensor) -> None:
        losses.append(loss)
        loss.backward()

    result = estimator.fit(
        torch.randn(6, N_IN), torch.rand(6, N_OUT), optimizer=optimizer, generator=seeded(), backward=backward
    )
    assert result.steps == len(losses) == 6
    assert estimator.trainable


def test_direct_has_nothing_to_fit() -> None:
    optimizer = torch.optim.Adam(torch.nn.Linear(1, 1).parameters())
    assert Direct().fit(torch.zeros(2, N_IN), torch.zeros(2, N_OUT), optimizer=optimizer) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"value": "both"}, "value is 'both', expected one of surrogate, block"),
        ({"pairs": "all"}, "pairs is 'all', expected one of"),
        ({"fit_every_updates": 0}, "fit_every_updates is 0"),
        ({"fit_batches": 0}, "fit_batches is 0"),
        ({"fit_epochs": 0}, "fit_epochs is 0"),
        ({"hidden": 0}, "hidden is 0"),
    ],
)
def test_impossible_options_are_refused_by_name(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        QtDNNEstimator(N_IN, N_OUT, **options)
