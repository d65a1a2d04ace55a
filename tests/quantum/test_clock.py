import copy
import pickle
import time

import pytest
import torch

from qtrl.quantum import Capabilities, Circuit, Engine, Executable, efficient_su2, make_engine

PAUSE = 0.02


class SlowGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, angles):
        time.sleep(PAUSE)
        return angles**2

    @staticmethod
    def backward(ctx, gradient):
        time.sleep(2 * PAUSE)
        return gradient * 3


class SlowExecutable(Executable):
    def _probabilities(self, angles):
        share = SlowGradient.apply(angles)
        return torch.cat([1 - share, share], dim=1)


class SlowEngine(Engine):
    name = "slow"
    capabilities = Capabilities(frozenset({"ry"}), max_qubits=1, differentiable=True, double_precision=True)

    def _build(self, circuit: Circuit) -> Executable:
        return SlowExecutable(circuit, self)


@pytest.fixture
def slow() -> Executable:
    return SlowEngine().prepare(Circuit.from_gates(1, [("ry", 0)]))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    "run",
    [
        lambda executable, angles: executable.probabilities(angles),
        lambda executable, angles: executable.expectations(angles),
        lambda executable, angles: executable.sample(angles, 3, seeded()),
        lambda executable, angles: executable.marginals(angles, 3, seeded()),
    ],
    ids=["probabilities", "expectations", "sample", "marginals"],
)
def test_every_way_to_run_is_timed(slow, run):
    for runs in (1, 2):
        run(slow, torch.full((1, 1), 0.5))
        assert runs * PAUSE <= slow.clock.seconds < runs * PAUSE + 1


def test_backward_is_timed_without_what_lies_around_it(slow):
    class SlowCost(torch.autograd.Function):
        forward = staticmethod(lambda ctx, value: value.clone())

        @staticmethod
        def backward(ctx, gradient):
            time.sleep(10 * PAUSE)
            return gradient

    angles = torch.full((1, 1), 0.5, requires_grad=True)
    loss = SlowCost.apply(slow.expectations(SlowCost.apply(angles))).sum()
    forward = slow.clock.seconds
    loss.backward()
    assert 2 * PAUSE <= slow.clock.seconds - forward < 10 * PAUSE
    assert angles.grad.item() == 3  # the gradient goes through as it is


def test_angles_keep_no_trace_of_a_run():
    executable = make_engine("statevector").prepare(efficient_su2(2, 1))
    angles = torch.randn(3, 8, generator=seeded(), requires_grad=True)
    for _ in range(2):
        (gradient,) = torch.autograd.grad(executable.expectations(angles).sum(), angles)
    assert not angles._backward_hooks
    assert torch.autograd.gradcheck(executable.expectations, angles.detach().double().requires_grad_())
    jacobian = torch.func.jacrev(lambda one: executable.expectations(one).sum(0))(angles.detach())
    torch.testing.assert_close(jacobian.sum(0), gradient)


def test_copies_count_on_by_themselves(slow):
    slow.probabilities(torch.zeros(1, 1))
    for twin in (copy.deepcopy(slow), pickle.loads(pickle.dumps(slow.clock))):
        seconds = getattr(twin, "clock", twin).seconds
        assert seconds == slow.clock.seconds
    copy.deepcopy(slow).probabilities(torch.zeros(1, 1))
    assert slow.clock.seconds == seconds
