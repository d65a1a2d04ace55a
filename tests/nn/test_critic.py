import pytest
import torch

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


def test_twins_are_independent_and_first_is_the_first() -> None:
    twins = TwinCritic(4, 2, hidden=8)
    observation, action = torch.randn(6, 4), torch.randn(6, 2)
    q1, q2 = twins(observation, action)
    assert q1.shape == q2.shape == (6,)
    assert not torch.equal(q1, q2)
    assert torch.equal(twins.first(observation, action), q1)
    assert torch.equal(twins.q2(observation, action), q2)


def test_first_passes_no_gradient_to_the_second() -> None:
    twins = TwinCritic(4, 2, hidden=8)
    twins.first(torch.randn(6, 4), torch.randn(6, 2)).sum().backward()
    assert all(parameter.grad is not None for parameter in twins.q1.parameters())
    assert all(parameter.grad is None for parameter in twins.q2.parameters())


@pytest.mark.parametrize("name", ["observation_size", "action_size", "hidden"])
def test_a_size_below_one_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=f"Critic: {name} is 0"):
        Critic(**({"observation_size": 2, "action_size": 2, "hidden": 2} | {name: 0}))
