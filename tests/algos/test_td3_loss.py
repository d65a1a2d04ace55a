import numpy as np
import pytest
import torch
from torch.testing import assert_close

from qtrl.algos.td3_loss import (
    actor_loss,
    angle_penalty,
    critic_loss,
    preactivation_penalty,
    smoothed_action,
    td_target,
)
from qtrl.envs import make_env


def test_noise_is_clipped_and_the_sum_clamped():
    action = torch.tensor([[0.0, 0.0, 0.9, -0.9, 0.3]])
    noise = torch.tensor([[0.2, -3.0, 0.4, -0.4, 0.6]])
    assert_close(smoothed_action(action, noise, 0.5), torch.tensor([[0.2, -0.5, 1.0, -1.0, 0.8]]))


def test_clamp_comes_after_the_noise():
    assert smoothed_action(torch.tensor([[1.0]]), torch.tensor([[-0.3]]), 0.5).item() == pytest.approx(0.7)


def test_clip_of_zero_leaves_the_action():
    action = torch.tensor([[0.25, -1.0]])
    assert_close(smoothed_action(action, torch.full((1, 2), 9.0), 0.0), action)


@pytest.mark.parametrize(("noise", "in_humanoid_units"), [(0.2, 0.08), (-0.2, -0.08), (7.0, 0.2), (-7.0, -0.2)])
def test_noise_has_the_scale_of_the_environments_bounds(noise, in_humanoid_units, monkeypatch):
    env = make_env("Humanoid-v4")
    env.reset(seed=0)
    arrived, step = [], env.unwrapped.step
    monkeypatch.setattr(env.unwrapped, "step", lambda action: arrived.append(action) or step(action))
    action = smoothed_action(torch.zeros(1, 17), torch.full((1, 17), noise), clip=0.5)
    env.step(action[0].numpy())
    np.testing.assert_allclose(arrived[0], in_humanoid_units, rtol=1e-6)


def test_target_bootstraps_from_the_smaller_value_unless_terminated():
    reward = torch.tensor([1.0, 1.0, -2.0, 0.0])
    terminated = torch.tensor([False, True, False, True])
    q1 = torch.tensor([10.0, 10.0, -4.0, 5.0])
    q2 = torch.tensor([20.0, 20.0, -8.0, 3.0])
    assert_close(td_target(reward, terminated, q1, q2, 0.9), torch.tensor([10.0, 1.0, -9.2, 0.0]))


def test_target_of_an_infinite_value_at_the_end_is_not_hidden():
    assert td_target(torch.zeros(1), torch.tensor([True]), *[torch.tensor([float("inf")])] * 2, 0.9).isnan()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_target_keeps_shape_and_dtype(dtype):
    numbers = torch.ones(5, dtype=dtype)
    target = td_target(numbers, torch.zeros(5, dtype=torch.bool), numbers, numbers, 0.5)
    assert_close(target, torch.full((5,), 1.5, dtype=dtype))


def test_critic_loss_sums_both_mean_squared_errors():
    q1, q2, target = torch.tensor([1.0, 2.0]), torch.tensor([0.0, 5.0]), torch.tensor([2.0, 4.0])
    assert critic_loss(q1, q2, target).item() == pytest.approx((1 + 4) / 2 + (4 + 1) / 2)


def test_critic_loss_has_the_gradient_of_a_mean_square():
    q1, target = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([2.0, 4.0])
    critic_loss(q1, target, target).backward()
    assert_close(q1.grad, torch.tensor([-1.0, -2.0]))


def test_actor_loss_is_the_negative_mean_value():
    q1 = torch.tensor([1.0, -2.0, 4.0], requires_grad=True)
    loss = actor_loss(q1)
    loss.backward()
    assert loss.item() == pytest.approx(-1.0)
    assert_close(q1.grad, torch.full((3,), -1 / 3))


def test_the_angle_penalty_is_in_units_of_the_mean_magnitude_of_values():
    q1, squared = torch.tensor([3.0, -5.0], requires_grad=True), torch.tensor(2.0, requires_grad=True)
    penalty = angle_penalty(squared, q1, 0.1)
    penalty.backward()
    assert penalty.item() == pytest.approx(0.1 * 4 * 2)
    assert q1.grad is None and squared.grad.item() == pytest.approx(0.1 * 4)


def test_the_preactivation_penalty_is_in_units_of_the_mean_magnitude_of_values():
    unbounded, q1 = (
        torch.tensor([[3.0, 0.0], [0.0, 1.0]], requires_grad=True),
        torch.tensor([4.0, -2.0]).requires_grad_(),
    )
    penalty = preactivation_penalty(unbounded, q1, 0.1)
    assert penalty.item() == pytest.approx(0.1 * 3.0 * 2.5)
    penalty.backward()
    assert q1.grad is None
    assert_close(unbounded.grad, 0.3 * unbounded.detach() / 2)
