import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from qtrl.errors import ConfigError
from qtrl.nn import Critic, TwinCritic


def test_value_by_hand() -> None:
    critic = Critic(1, 1, hidden=1)
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.zero_()
        critic.features[0].weight.fill_(-1.0)
        critic.head[0].weight.copy_(torch.tensor([[10.0, 2.0]]))
        critic.head[2].weight.fill_(3.0)
        critic.head[2].bias.fill_(0.5)
    # Observation 4 gives -4 * 0.01 after LeakyReLU; with action 1 the hidden unit is -0.4 + 2, and the value 4.8 + 0.5.
    value = critic(torch.tensor([[4.0]]), torch.tensor([[1.0]]))
    assert value.shape == (1,)
    assert value.item() == pytest.approx(5.3)


def make_twins(seed: int = 0) -> tuple[TwinCritic, list[Critic]]:
    """The twins, and two critics made from the same seed one after the other."""
    torch.manual_seed(seed)
    twins = TwinCritic(4, 2, hidden=8)
    torch.manual_seed(seed)
    return twins, [Critic(4, 2, hidden=8) for _ in range(2)]


def test_twins_are_two_critics_with_weights_of_their_own() -> None:
    twins, critics = make_twins()
    observation, action = torch.randn(6, 4), torch.randn(6, 2)
    q1, q2 = twins(observation, action)
    assert q1.shape == q2.shape == (6,)
    assert not torch.allclose(q1, q2)
    for value, critic in zip((q1, q2), critics, strict=True):
        assert_close(value, critic(observation, action))
    assert_close(twins.first(observation, action), q1)


def test_twins_have_the_gradients_of_two_critics() -> None:
    twins, critics = make_twins()
    observation, action = torch.randn(6, 4), torch.randn(6, 2)
    actions = [action.clone().requires_grad_() for _ in range(2)]
    sum(twins(observation, actions[0])).square().sum().backward()
    sum(critic(observation, actions[1]) for critic in critics).square().sum().backward()
    assert_close(actions[0].grad, actions[1].grad)
    for i, critic in enumerate(critics):
        first, joint, last = critic.features[0], critic.head[0], critic.head[2]
        assert_close(twins.features.weight.grad[i], first.weight.grad.T)
        assert_close(twins.features.bias.grad[i, 0], first.bias.grad)
        assert_close(twins.joint_weight.grad[i], joint.weight.grad[:, :8].T)
        assert_close(twins.action.weight.grad[i], joint.weight.grad[:, 8:].T)
        assert_close(twins.action.bias.grad[i, 0], joint.bias.grad)
        assert_close(twins.value_weight.grad[i], last.weight.grad)
        assert_close(twins.value_bias.grad[i], last.bias.grad)


def test_first_passes_no_gradient_to_the_second() -> None:
    twins, _ = make_twins()
    twins.first(torch.randn(6, 4), torch.randn(6, 2)).sum().backward()
    for parameter in twins.parameters():
        assert parameter.grad[0].any()
        assert not parameter.grad[1].any()


@pytest.mark.parametrize("name", ["observation_size", "action_size", "hidden"])
def test_a_size_below_one_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=f"Critic: {name} is 0"):
        Critic(**({"observation_size": 2, "action_size": 2, "hidden": 2} | {name: 0}))


def test_layer_norm_is_that_of_two_critics_with_normalized_units() -> None:
    torch.manual_seed(0)
    twins = TwinCritic(4, 2, hidden=8, layer_norm=True)
    torch.manual_seed(0)
    critics = [Critic(4, 2, hidden=8) for _ in range(2)]
    observation, action = torch.randn(6, 4), torch.randn(6, 2)
    for value, critic in zip(twins(observation, action), critics, strict=True):
        features = F.leaky_relu(F.layer_norm(critic.features[0](observation), (8,)), 0.01)
        hidden = F.leaky_relu(F.layer_norm(critic.head[0](torch.cat([features, action], 1)), (8,)), 0.01)
        assert_close(value, critic.head[2](hidden).squeeze(-1))
    assert_close(twins.first(observation, action), twins(observation, action)[0])
