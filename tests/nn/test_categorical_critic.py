import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from qtrl.errors import ConfigError
from qtrl.nn import CategoricalCritic, RewardScale, TDRows, polyak_, reward_scales, target_copy
from qtrl.nn.critics.distribution import cross_entropy, mean, projected, smaller_of

OBSERVATIONS, A, H, B = 4, 2, 8, 10


def make_critic(seed: int = 0, **options) -> CategoricalCritic:
    torch.manual_seed(seed)
    critic = CategoricalCritic(OBSERVATIONS, A, H, bins=11, **options)
    with torch.no_grad():
        for parameter in (critic.input_scale, critic.logit_bias, *critic.norms.parameters()):
            parameter.add_(0.1 * torch.randn_like(parameter))
    return critic


def make_rows(seed: int = 0, **changed) -> TDRows:
    generator = torch.Generator().manual_seed(seed)

    def randn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    fields = {
        "observation": randn(B, OBSERVATIONS),
        "action": randn(B, A).tanh(),
        "reward": randn(B),
        "terminated": torch.arange(B) % 4 == 0,
        "next_observation": randn(B, OBSERVATIONS),
        "next_action": randn(B, A).tanh(),
        "gamma": 0.9,
    }
    return TDRows(**(fields | changed))


def state(net: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in net.state_dict().items()}


def one_of(critic: CategoricalCritic, twin: int) -> nn.Sequential:
    """One of the twins, of modules of torch's."""
    eps, inputs, last = critic.input_norm.epsilon, OBSERVATIONS + A, nn.Linear(H, 11)
    norms = [nn.BatchNorm1d(size, eps=eps, momentum=0.01) for size in (inputs, H, H)]
    linears = [nn.Linear(inputs, H, bias=False), nn.Linear(H, H, bias=False)]
    with torch.no_grad():
        norms[0].weight.copy_(critic.input_scale[twin, :, 0])
        units = slice(twin * H, twin * H + H)
        for norm, linear, own, weight in zip(norms[1:], linears, critic.norms, critic.weights, strict=True):
            norm.weight.copy_(own.weight[units]), norm.bias.copy_(own.bias[units])
            norm.running_mean.copy_(own.mean[units]), norm.running_var.copy_(own.variance[units])
            linear.weight.copy_(weight[twin].T)
        norms[0].running_mean.copy_(critic.input_norm.mean), norms[0].running_var.copy_(critic.input_norm.variance)
        last.weight.copy_(critic.logit_weight[twin].T), last.bias.copy_(critic.logit_bias[twin, 0])
    return nn.Sequential(norms[0], linears[0], norms[1], nn.ReLU(), linears[1], norms[2], nn.ReLU(), last)


def joint(rows: TDRows) -> Tensor:
    now = torch.cat([rows.observation, rows.action], 1)
    return torch.cat([now, torch.cat([rows.next_observation, rows.next_action], 1)])


def test_the_loss_is_that_of_two_networks_of_torch_on_the_joint_batch() -> None:
    critic, rows = make_critic(), make_rows(weight=torch.rand(B))
    target = target_copy(make_critic(1))
    twins, targets = ([one_of(net, twin).train() for twin in range(2)] for net in (critic, target))
    critic.reward_scale.update(torch.tensor([0.0, 3.0, -12.0]))
    scale = max(torch.tensor([0.0, 3.0, -12.0]).std(correction=0).item(), 12 / 5)

    td = critic.td_loss(target, rows)
    td.loss.backward()
    with torch.no_grad():
        later = torch.stack([net(joint(rows))[B:] for net in targets])
        discount = 0.9 * (~rows.terminated).float()
        asked = projected(smaller_of(later, critic.support), rows.reward / scale, discount, critic.support)
    logits = torch.stack([net(joint(rows))[:B] for net in twins])
    loss = cross_entropy(logits, asked, rows.weight)
    loss.backward()

    assert_close(td.loss, loss)
    for value, own in zip((td.q1, td.q2), logits, strict=True):
        assert_close(value, (mean(own.softmax(1), critic.support) * scale).detach())
    assert_close(td.target, mean(asked, critic.support) * scale)
    assert not td.q1.requires_grad and not td.target.requires_grad
    for twin, net in enumerate(twins):
        assert_close(critic.input_scale.grad[twin, :, 0], net[0].weight.grad)
        for own, linear in zip((*critic.weights, critic.logit_weight), (net[1], net[4], net[7]), strict=True):
            assert_close(own.grad[twin].T, linear.weight.grad)
        for own, norm in zip(critic.norms, (net[2], net[5]), strict=True):
            assert_close(own.bias.grad[twin * H : twin * H + H], norm.bias.grad)
            assert_close(own.mean[twin * H : twin * H + H], norm.running_mean)
            assert_close(own.variance[twin * H : twin * H + H], norm.running_var)
    assert_close(critic.input_norm.variance, twins[0][0].running_var)


def test_values_are_those_of_the_networks_in_evaluation() -> None:
    critic, rows = make_critic(), make_rows()
    critic.td_loss(target_copy(critic), rows)
    critic.reward_scale.update(torch.tensor([10.0, -10.0]))
    values = critic(rows.observation, rows.action)
    for twin, value in enumerate(values):
        logits = one_of(critic, twin).eval()(torch.cat([rows.observation, rows.action], 1))
        assert_close(value, mean(logits.softmax(1), critic.support) * 10)
    assert_close(critic.first(rows.observation, rows.action), values[0])


@pytest.mark.parametrize("training", [False, True])
def test_values_depend_on_no_other_row_and_change_nothing(training: bool) -> None:
    critic, rows = make_critic().train(training), make_rows()
    critic.td_loss(target_copy(critic), rows)
    before = state(critic)
    whole, q2 = critic(rows.observation, rows.action)
    assert_close(critic.first(rows.observation[:1], rows.action[:1]), whole[:1])
    assert_close(critic(rows.observation[1:], rows.action[1:])[1], q2[1:])
    assert all(torch.equal(value, before[name]) for name, value in critic.state_dict().items())


def test_both_halves_of_a_batch_share_its_statistics() -> None:
    critic, rows = make_critic(reward_scale=False), make_rows()
    target = target_copy(critic)
    other = make_rows(next_observation=rows.next_observation + 3.0)
    here, there = critic.td_loss(target, rows), critic.td_loss(target, other)
    assert not torch.allclose(here.q1, there.q1)  # the first half is as before
    other = make_rows(observation=rows.observation + 3.0)
    assert not torch.allclose(here.target, critic.td_loss(target, other).target)


def test_a_target_goes_by_the_batch_and_keeps_its_averages() -> None:
    critic, rows = make_critic(), make_rows()
    target = target_copy(critic)
    before = state(target)
    first = critic.td_loss(target, rows).target
    assert all(torch.equal(value, before[name]) for name, value in target.state_dict().items())
    assert not torch.equal(critic.input_norm.mean, before["input_norm.mean"])
    polyak_(target, critic, 0.5)
    assert torch.equal(target.input_norm.mean, critic.input_norm.mean)
    for norm in (target.input_norm, *target.norms):
        norm.mean.fill_(float("nan"))
    assert_close(critic.td_loss(target, rows).target, first)


def test_a_target_shares_the_scale_of_rewards() -> None:
    critic = make_critic()
    target = target_copy(critic)
    assert reward_scales(target) == reward_scales(critic) == [critic.reward_scale]
    assert isinstance(critic.reward_scale, RewardScale)
    assert reward_scales(make_critic(reward_scale=False)) == []


def test_rows_that_span_several_steps_have_a_discount_each() -> None:
    critic, gamma = make_critic(), torch.rand(B)
    target = target_copy(critic)
    result = critic.td_loss(target, make_rows(gamma=gamma)).target
    for row in (1, 2):  # not terminal
        assert_close(critic.td_loss(target, make_rows(gamma=gamma[row].item())).target[row], result[row])


def test_incoming_weights_are_projected_to_norm_1_and_keep_their_direction() -> None:
    critic = make_critic()
    weights = (*critic.weights, critic.logit_weight)
    for weight in weights:
        assert_close(weight.norm(dim=1), torch.ones(2, weight.shape[2]))
    before = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        for weight in weights:
            weight.mul_(torch.rand(2, 1, weight.shape[2]) + 0.5)
    critic.project_()
    for weight, kept in zip(weights, before, strict=True):
        assert_close(weight.detach(), kept)


def test_first_passes_no_gradient_to_the_second() -> None:
    critic, rows = make_critic(), make_rows()
    critic.first(rows.observation, rows.action).sum().backward()
    for parameter in (critic.input_scale, *critic.weights, critic.logit_weight, critic.logit_bias):
        assert parameter.grad[0].any()
        assert not parameter.grad[1].any()
    for norm in critic.norms:
        assert norm.weight.grad[:H].any() and not norm.weight.grad[H:].any()


@pytest.mark.parametrize("bad", [{"bins": 1}, {"bound": 0.0}, {"momentum": 1.5}, {"epsilon": 0.0}])
def test_numbers_out_of_range_are_refused(bad) -> None:
    with pytest.raises(ConfigError, match=f"CategoricalCritic: {next(iter(bad))} is out of range"):
        CategoricalCritic(OBSERVATIONS, A, **bad)
    with pytest.raises(ConfigError, match="CategoricalCritic: hidden is 0"):
        CategoricalCritic(OBSERVATIONS, A, 0)
