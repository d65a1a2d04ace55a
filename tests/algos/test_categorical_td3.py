"""TD3 with critics that predict distributions; the pieces are tested in tests/nn."""

import copy

import pytest
import torch
from algos.test_graphed_update import Recorder as GraphRecorder
from algos.test_td3 import ACTIONS, OBSERVATIONS, Recorder, changed, fit, make_module, make_rows, make_stream, state
from lightning.pytorch import Callback
from torch.testing import assert_close

from qtrl.algos import TD3
from qtrl.algos.graphed_update import GraphedUpdate
from qtrl.keys import ACTION, NEXT_OBSERVATION, OBSERVATION, PRIORITY_WEIGHT, REWARD, TERMINATED
from qtrl.nn import CategoricalCritic, TDRows

WEIGHTS = ("weights.0", "weights.1", "logit_weight")


def make_categorical(*, recorder=None, seed=0, settings=None, more=None, **critic):
    recorder = recorder or Recorder()
    actor = make_module("fc", seed=seed).actor
    recorder.module = TD3(
        actor,
        CategoricalCritic(OBSERVATIONS, ACTIONS, hidden=9, bins=11, **critic),
        **{f"{name}_optimizer": recorder.optimizer(name) for name in ("actor", "critic", "surrogate")},
        seed=seed,
        **(settings or {}),
        **(more or {}),
    )
    return recorder.module


class After(Callback):
    def __init__(self, function):
        self.function = function

    def on_train_batch_end(self, trainer, pl_module, *args):
        self.function(pl_module)


def test_the_loss_of_the_critic_is_its_own():
    module, rows = make_categorical(settings={"target_noise": 0.0, "gamma": 0.9}), make_rows()
    rows[PRIORITY_WEIGHT] = torch.rand(len(rows))
    with torch.no_grad():
        expected = copy.deepcopy(module.critic).td_loss(
            module.critic_target,
            TDRows(
                *(rows[key] for key in (OBSERVATION, ACTION)),
                *(rows[key].squeeze(-1) for key in (REWARD, TERMINATED)),
                *(rows[NEXT_OBSERVATION], module.actor(rows[NEXT_OBSERVATION]), 0.9, rows[PRIORITY_WEIGHT]),
            ),
        )
    fit(module, make_stream(1, rows))
    assert_close(module.metrics["loss/critic"], expected.loss)
    assert_close(module.metrics["train/q1"], expected.q1)
    assert_close(module.metrics["train/target_q"], expected.target)


def test_incoming_weights_have_norm_1_after_every_step():
    seen = []

    def look(module):
        seen.extend(module.critic.get_parameter(name).norm(dim=1) for name in WEIGHTS)

    module = make_categorical()
    before = state(module)
    fit(module, make_stream(5), After(look))
    assert len(seen) == 5 * len(WEIGHTS)
    assert all(torch.allclose(norm, torch.ones_like(norm), atol=1e-6) for norm in seen)
    assert {f"critic.{name}" for name in WEIGHTS} <= changed(before, state(module))


def test_each_step_moves_its_own_networks_and_the_actors_leaves_the_averages_alone():
    recorder = Recorder()
    module = make_categorical(recorder=recorder)
    at_actor = []
    make = module.mechanics._makers["actor"]

    def watched(parameters):
        optimizer = make(parameters)
        optimizer.register_step_post_hook(lambda *_: at_actor.append(state(module.critic)))
        return optimizer

    module.mechanics._makers["actor"] = watched
    fit(module, make_stream(4), After(lambda module: at_actor.append(state(module.critic))))
    parts = {"critic": {"critic"}, "actor": {"actor"}}
    for name, moved in zip(recorder.steps, recorder.moved, strict=True):
        assert {key.split(".")[0] for key in moved} == parts[name]
    after_critic, after_actor = at_actor[1], at_actor[2]  # of the second update
    assert not changed(after_critic, after_actor)


def test_targets_follow_by_tau():
    module = make_categorical(settings={"tau": 0.25})
    start = state(module)
    fit(module, make_stream(2))
    end = state(module)
    names = [name for name, _ in module.critic.named_parameters()]
    for name in names:
        assert_close(end[f"critic_target.{name}"], 0.75 * start[f"critic.{name}"] + 0.25 * end[f"critic.{name}"])


def test_a_restored_module_goes_on_as_if_nothing_had_happened(tmp_path):
    returns = torch.tensor([3.0, -40.0, 7.0])
    whole, first = make_categorical(), make_categorical()
    for module in (whole, first):
        module.observe_returns(returns)
    fit(whole, make_stream(6))
    fit(first, make_stream(6, upto=3)).save_checkpoint(tmp_path / "a.ckpt")
    second = make_categorical(seed=9)
    fit(second, make_stream(6), ckpt_path=tmp_path / "a.ckpt", weights_only=True)
    assert changed(whole.state_dict(), second.state_dict()) == set()
    assert second.critic.reward_scale() == second.critic_target.reward_scale() == whole.critic.reward_scale() > 8


def test_returns_are_asked_for_where_rewards_are_scaled():
    assert make_categorical().scales_rewards
    assert not make_categorical(reward_scale=False).scales_rewards
    assert not make_module().scales_rewards


def test_replayed_updates_are_as_if_they_were_made(monkeypatch):
    monkeypatch.setattr(GraphedUpdate, "check", lambda self: None)
    plain, graphed = make_categorical(), make_categorical(more={"cuda_graphs": True})
    recorder = graphed._graphs._recorder = GraphRecorder(graphed)
    for module in (plain, graphed):
        fit(module, make_stream(15))
    assert recorder.replayed > 5
    assert changed(state(plain), state(graphed)) == set()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # Dynamo looks at each input's
def test_fifty_compiled_updates_equal_eager_ones():
    rows = {}
    for mode in (None, "default"):
        module = make_categorical(more={"compile_mode": mode})
        rows[mode] = []

        def keep(module, rows=rows[mode]):
            rows.append({name: value.mean().item() for name, value in module.metrics.items()})

        fit(module, make_stream(50), After(keep))
    for compiled, eager in zip(rows["default"], rows[None], strict=True):
        assert compiled == pytest.approx(eager, rel=1e-4, abs=1e-5)
