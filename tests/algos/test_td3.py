import copy
from functools import partial

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from tensordict import TensorDict
from torch.testing import assert_close

from qtrl.algos import TD3, TD3Settings
from qtrl.callbacks import AtomicCheckpointIO
from qtrl.errors import ConfigError, DivergenceError
from qtrl.keys import ACTION, NEXT_OBSERVATION, OBSERVATION, Q_IN, Q_OUT, REWARD, TERMINATED
from qtrl.nn import (
    FC,
    PQC,
    RBG,
    ExactEstimator,
    HybridActor,
    ParameterShiftEstimator,
    QtDNNEstimator,
    TwinCritic,
    approximated,
    classical_parameters,
    estimator_parameters,
)
from qtrl.process.quiet import quiet_libraries
from qtrl.quantum import efficient_su2, make_engine
from qtrl.seeding import Generators
from qtrl.specs import Batch

OBSERVATIONS, ACTIONS, BATCH, SHOTS = 3, 2, 6, 5
N_IN, N_OUT = 8, 2  # two qubits, one repetition
NETS = ("actor", "critic", "actor_target", "critic_target")


def make_block(name):
    if name == "pqc":
        circuit, engine = efficient_su2(N_OUT, reps=1), make_engine("statevector")
        return PQC(N_IN, N_OUT, circuit=circuit, engine=engine, readout="mean", shots=SHOTS)
    return {"fc": FC, "rbg": RBG}[name](N_IN, N_OUT)


class Recorder:
    """Tells which optimizer stepped when, and what each step moved."""

    def __init__(self):
        self.module, self.steps, self.moved = None, [], []

    def optimizer(self, name):
        def make(parameters):
            optimizer = torch.optim.SGD(parameters, lr=0.05)
            optimizer.register_step_pre_hook(lambda *_: setattr(self, "before", state(self.module)))
            optimizer.register_step_post_hook(lambda *_: self.stepped(name))
            return optimizer

        return make

    def stepped(self, name):
        self.steps.append(name)
        self.moved.append(changed(self.before, state(self.module)))


def state(module):
    return copy.deepcopy(module.state_dict())


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def make_module(block="pqc", *, recorder=None, seed=0, settings=None, more=None, normalize=None, **estimator):
    torch.manual_seed(seed)
    gradient = partial(QtDNNEstimator, hidden=11, **estimator)
    actor = HybridActor(OBSERVATIONS, ACTIONS, make_block(block), gradient, hidden=7, links=3, normalize=normalize)
    recorder = recorder or Recorder()
    recorder.module = TD3(
        actor,
        TwinCritic(OBSERVATIONS, ACTIONS, hidden=9, normalize=normalize),
        actor_optimizer=recorder.optimizer("actor"),
        critic_optimizer=recorder.optimizer("critic"),
        surrogate_optimizer=recorder.optimizer("surrogate"),
        seed=seed,
        **(settings or {}),
        **(more or {}),
    )
    return recorder.module


def make_rows(seed=0):
    randn = partial(torch.randn, generator=torch.Generator().manual_seed(seed))
    rows = TensorDict(batch_size=[BATCH])
    for key, size in ((OBSERVATION, OBSERVATIONS), (NEXT_OBSERVATION, OBSERVATIONS), (REWARD, 1), (Q_IN, N_IN)):
        rows[key] = randn(BATCH, size)
    rows[ACTION], rows[Q_OUT] = randn(BATCH, ACTIONS).tanh(), randn(BATCH, N_OUT).sigmoid()
    rows[TERMINATED] = torch.arange(BATCH)[:, None] % 3 == 0
    return rows


class Batches:
    """A list that Lightning iterates over, and that remembers where it was."""

    def __init__(self, batches):
        self.batches, self.position = batches, 0

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        while self.position < len(self):
            self.position += 1
            yield self.batches[self.position - 1]

    def state_dict(self):
        return {"position": self.position}

    def load_state_dict(self, state):
        self.position = state["position"]


def make_stream(updates, rows=None, upto=None):
    given = [make_rows(i) if rows is None else rows for i in range(updates)]
    batches = [Batch(one, env_steps=100 + i, recent=one) for i, one in enumerate(given)]
    return Batches(batches[:upto])


def fit(module, stream, *callbacks, **options):
    quiet_libraries()
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        plugins=[AtomicCheckpointIO()],
        callbacks=list(callbacks),
    )
    trainer.fit(module, stream, **options)
    return trainer


def test_update_fits_the_qtdnn_then_the_critics_then_every_other_time_the_actor():
    recorder = Recorder()
    fit(make_module(recorder=recorder), make_stream(4))
    assert recorder.steps == ["surrogate", "critic", "surrogate", "critic", "actor"] * 2


@pytest.mark.parametrize(("delay", "actor_steps"), [(1, 6), (2, 3), (3, 2), (7, 0)])
def test_policy_delay(delay, actor_steps):
    recorder = Recorder()
    fit(make_module(recorder=recorder, settings={"policy_delay": delay}), make_stream(6))
    assert recorder.steps.count("actor") == actor_steps
    assert recorder.steps.count("critic") == 6


@pytest.mark.parametrize(("every", "fits"), [(1, 6), (2, 3), (4, 1)])
def test_the_qtdnn_is_fitted_every_so_many_updates(every, fits):
    recorder = Recorder()
    fit(make_module(recorder=recorder, fit_every_updates=every), make_stream(6))
    assert recorder.steps.count("surrogate") == fits


def test_fit_batches_and_epochs_are_steps_of_the_qtdnn():
    recorder = Recorder()
    fit(make_module(recorder=recorder, fit_batches=3, fit_epochs=2), make_stream(1))
    assert recorder.steps == ["surrogate"] * 6 + ["critic"]


def test_each_step_moves_its_own_networks_and_no_other():
    recorder = Recorder()
    fit(make_module(recorder=recorder), make_stream(4))
    parts = {"surrogate": {"actor.layer"}, "critic": {"critic"}, "actor": {"actor.pre", "actor.post"}}
    for name, moved in zip(recorder.steps, recorder.moved, strict=True):
        if name != "critic":
            assert {".".join(key.split(".")[:2]) for key in moved} == parts[name]
        if name == "critic":
            assert moved == {f"critic.{key}" for key in recorder.module.critic.state_dict()}


def test_a_trainable_block_moves_with_the_actor():
    recorder = Recorder()
    fit(make_module("fc", recorder=recorder), make_stream(2))
    assert recorder.steps == ["critic", "critic", "actor"]
    assert {key.split(".")[1] for key in recorder.moved[-1]} == {"pre", "layer", "post"}


def test_critics_and_qtdnn_can_learn_again_after_the_actors_step():
    module = make_module()
    fit(module, make_stream(2))
    assert all(p.requires_grad for net in (module.critic, module.actor) for p in net.parameters())


def test_the_actors_gradient_is_that_of_the_first_critic_through_the_qtdnn():
    module = make_module(settings={"policy_delay": 1})
    twin, rows = copy.deepcopy(module), make_rows()
    lr = 0.05
    grads = []

    class Watch(Callback):
        def on_train_batch_end(self, trainer, pl_module, *args):
            # the actor's loss by hand, at the parameters that its step started from
            q_in, links = twin.actor.encode(rows[OBSERVATION])
            q_out = torch.sigmoid(pl_module.actor.layer.estimator.net(q_in))
            q1 = pl_module.critic.first(rows[OBSERVATION], twin.actor.decode(q_out, links))
            grads.extend(torch.autograd.grad(-q1.mean(), classical_parameters(twin.actor)))
            assert_close(pl_module.metrics["loss/actor"], -q1.mean().detach())

    fit(module, make_stream(1, rows), Watch())
    parameters = (classical_parameters(actor) for actor in (module.actor, twin.actor))
    for new, old, grad in zip(*parameters, grads, strict=True):
        assert_close(new, old - lr * grad)


@pytest.mark.parametrize("gamma", [0.0, 0.9])
def test_targets_bootstrap_from_the_smaller_target_value_unless_terminated(gamma):
    module, rows = make_module("fc", settings={"gamma": gamma, "target_noise": 0.0}), make_rows()
    with torch.no_grad():
        next_action = module.actor(rows[NEXT_OBSERVATION])
        q1, q2 = module.critic_target(rows[NEXT_OBSERVATION], next_action)
        alive = 1.0 - rows[TERMINATED].float().squeeze(-1)
        target = rows[REWARD].squeeze(-1) + gamma * alive * torch.minimum(q1, q2)
        values = module.critic(rows[OBSERVATION], rows[ACTION])
        loss = sum(((value - target) ** 2).mean() for value in values)
    fit(module, make_stream(1, rows))
    assert_close(module.metrics["train/target_q"], target)
    assert_close(module.metrics["loss/critic"], loss)
    assert_close(module.metrics["train/q1"], values[0])
    assert_close(module.metrics["train/q2"], values[1])


def test_target_noise_changes_the_targets_and_repeats_with_the_seed():
    def target(seed, noise):
        module = make_module("fc", settings={"target_noise": noise})
        module.mechanics.generators = Generators(seed)
        fit(module, make_stream(1))
        return module.metrics["train/target_q"].mean().item()

    assert target(0, 0.2) == target(0, 0.2)
    assert len({target(0, 0.2), target(1, 0.2), target(0, 0.0)}) == 3


def test_targets_follow_by_tau_after_each_actor_update_and_not_between():
    module = make_module("fc", settings={"tau": 0.25})
    start, middle = state(module), {}

    class Middle(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if batch_idx == 0:
                middle.update(state(pl_module))

    fit(module, make_stream(2), Middle())
    end = state(module)
    assert not [name for name in changed(start, middle) if "target" in name]
    names = [name for name in end if "target" in name]
    critic = {name.partition(".")[0] for name in module.critic.state_dict()}
    assert {name.split(".")[1] for name in names} == {"pre", "layer", "post"} | critic
    for name in names:
        assert_close(end[name], 0.75 * start[name] + 0.25 * end[name.replace("_target", "")])


def test_targets_begin_as_copies_and_share_the_qtdnn():
    module = make_module()
    after = module.state_dict()
    for name in (name for name in after if "target" in name):
        assert torch.equal(after[name], after[name.replace("_target", "")])
    assert {name.partition(".")[0] for name in after} == set(NETS)
    assert not [name for name in after if "estimator" in name and "target" in name]
    assert module.actor_target.layer.estimator is module.actor.layer.estimator
    assert not any(p.requires_grad for p in module.actor_target.parameters())
    assert not any(p.requires_grad for p in module.critic_target.parameters())


def test_updates_are_counted_apart_from_lightnings_optimizer_steps():
    module = make_module()
    trainer = fit(module, make_stream(4))
    assert (module.env_steps, module.updates) == (103, 4)
    assert trainer.global_step == 4 + 4 + 2


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("key", "complaint", "still"),
    [(REWARD, "critic loss", {"pre", "post", "critic"}), (Q_OUT, "surrogate BCE", {"actor", "critic"})],
)
def test_a_loss_that_is_not_finite_stops_before_it_touches_a_parameter(bad, key, complaint, still):
    module, stream = make_module(), make_stream(3)
    stream.batches[1].transitions[key][2] = bad
    kept = {}

    class Keep(Callback):
        def on_train_batch_end(self, trainer, pl_module, *args):
            kept.update(state(pl_module))

    with pytest.raises(DivergenceError, match=rf"{complaint} became -?(nan|inf) at env step 101, update 2"):
        fit(module, stream, Keep())
    assert not [name for name in changed(kept, state(module)) if still & set(name.replace("_target", "").split("."))]


def test_an_actor_loss_that_is_not_finite_stops():
    module = make_module(settings={"policy_delay": 1})
    with torch.no_grad():
        module.actor.post[0].weight.fill_(float("nan"))
    with pytest.raises(DivergenceError, match="actor loss became nan at env step 100, update 1"):
        fit(module, make_stream(1))


def test_checkpoint_holds_plain_counters_and_no_trace_of_the_engine(tmp_path):
    module = make_module()
    trainer = fit(module, make_stream(3))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    checkpoint = torch.load(tmp_path / "a.ckpt", weights_only=True)
    assert (checkpoint["env_steps"], checkpoint["updates"]) == (102, 3)
    assert type(checkpoint["env_steps"]) is type(checkpoint["updates"]) is int
    assert not [name for name in checkpoint["state_dict"] if ".block." in name]
    assert len(checkpoint["optimizer_states"]) == 3


def test_a_restored_module_goes_on_as_if_nothing_had_happened(tmp_path):
    whole = make_module()
    fit(whole, make_stream(6))
    first = make_module()
    fit(first, make_stream(6, upto=3)).save_checkpoint(tmp_path / "a.ckpt")
    second = make_module(seed=9)
    fit(second, make_stream(6), ckpt_path=tmp_path / "a.ckpt", weights_only=True)
    assert (second.env_steps, second.updates) == (105, 6)
    assert changed(whole.state_dict(), second.state_dict()) == set()
    assert second.meters.ledger == whole.meters.ledger


def booked(module):
    ledger = module.meters.ledger
    return {name: (ledger.circuits[name], ledger.shots[name]) for name in ledger.circuits if ledger.circuits[name]}


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        ({}, {}),
        ({"pairs": "fresh"}, {"fit": 4}),
        ({"pairs": "fresh", "fit_every_updates": 2}, {"fit": 2}),
        ({"pairs": "mixed"}, {"fit": 4}),
        ({"pairs": "recent"}, {}),
        ({"value": "block"}, {"target": 4, "actor": 2}),
        ({"value": "block", "pairs": "fresh"}, {"fit": 4, "target": 4, "actor": 2}),
    ],
)
def test_circuits_that_an_update_runs_are_booked(estimator, expected):
    module = make_module(**estimator)
    fit(module, make_stream(4))
    assert booked(module) == {name: (calls * BATCH, calls * BATCH * SHOTS) for name, calls in expected.items()}


@pytest.mark.parametrize(
    ("estimator", "purposes"),
    [
        ({}, set()),
        ({"pairs": "fresh"}, {"fit"}),
        ({"value": "block"}, {"target", "actor"}),
    ],
)
def test_seconds_in_circuits_are_booked_by_purpose_and_the_qtdnn_costs_none(estimator, purposes):
    module = make_module(**estimator)
    fit(module, make_stream(4))
    seconds = module.meters.ledger.seconds
    assert {purpose for purpose, spent in seconds.items() if spent > 0} == purposes
    assert sum(seconds.values()) < sum(module.meters.stopwatch.seconds.values())


def with_estimator(kind):
    module = make_module()
    for actor in (module.actor, module.actor_target):
        actor.layer.estimator = kind(N_IN, N_OUT)
    return module


def test_the_time_of_an_exact_gradient_is_the_actors_forward_and_backward():
    module, spent = with_estimator(ExactEstimator), {}
    block, backward = module.actor.layer.block, module.mechanics.backward

    def recorded(label, *arguments):
        before = block.seconds
        norm = backward(label, *arguments)
        spent[label] = block.seconds - before
        return norm

    module.mechanics.backward = recorded
    fit(module, make_stream(2))
    seconds = module.meters.ledger.seconds
    assert spent["critic loss"] == 0 < spent["actor loss"] < seconds["actor"]
    assert seconds["actor"] == pytest.approx(block.seconds)
    assert seconds["target"] == pytest.approx(module.actor_target.layer.block.seconds)


@pytest.mark.parametrize(("block", "each_update", "each_actor_update"), [("pqc", 1, 1 + 2 * N_IN), ("fc", 0, 0)])
def test_the_bill_of_parameter_shift_is_kept_beside(block, each_update, each_actor_update):
    module = make_module(block)
    fit(module, make_stream(5))
    bill = BATCH * (5 * each_update + 2 * each_actor_update)
    assert module.meters.ledger.parameter_shift_circuits == bill


def test_parameter_shift_pays_its_bill():
    module = with_estimator(ParameterShiftEstimator)
    fit(module, make_stream(5))
    ledger = module.meters.ledger
    assert ledger.circuits["target"] + ledger.circuits["actor"] == ledger.parameter_shift_circuits


def test_stored_pairs_are_what_the_replay_recorded():
    module, rows = make_module(), make_rows()
    logits = module.actor.layer.estimator.net(rows[Q_IN])
    bce = torch.nn.functional.binary_cross_entropy_with_logits(logits, rows[Q_OUT])
    fit(module, make_stream(1, rows))
    assert_close(module.metrics["surrogate/bce_before"], bce.detach()[None])


def test_time_of_each_part_is_booked():
    module = make_module()
    fit(module, make_stream(2))
    assert all(module.meters.stopwatch.seconds[name] > 0 for name in ("surrogate", "critic", "actor"))


@pytest.mark.parametrize(
    "bad",
    [
        {"gamma": 1.1},
        {"gamma": -0.1},
        {"tau": 0.0},
        {"tau": 1.5},
        {"policy_delay": 0},
        {"target_noise": -1.0},
        {"target_noise_clip": -1.0},
        {"gamma": float("nan")},
        {"preactivation_penalty": -1.0},
    ],
)
def test_numbers_out_of_range_are_refused(bad):
    with pytest.raises(ConfigError, match=f"{next(iter(bad))}=.* is out of range"):
        TD3Settings(**bad)


def test_rbg_without_surrogate_trains_with_its_links_alone():
    recorder = Recorder()
    fit(make_module("rbg", recorder=recorder), make_stream(2))
    assert recorder.steps == ["critic", "critic", "actor"]


class Gradients(Callback):
    """Keeps the norm of each network's gradient at each update, and what was logged."""

    def __init__(self):
        self.norms, self.logged = [], []

    def on_train_batch_end(self, trainer, pl_module, *args):
        nets = {
            "critic": pl_module.critic.parameters(),
            "actor": classical_parameters(pl_module.actor),
            "surrogate": estimator_parameters(pl_module.actor),
        }
        gradients = {name: [p.grad.flatten() for p in net if p.grad is not None] for name, net in nets.items()}
        self.norms.append({name: torch.cat(parts).norm() for name, parts in gradients.items() if parts})
        self.logged.append({name: pl_module.metrics.get(f"gradient/{name}") for name in nets})


def test_norms_of_gradients_are_metrics():
    gradients = Gradients()
    fit(make_module(), make_stream(2), gradients)
    assert gradients.logged[0]["actor"] is None
    assert set(gradients.norms[1]) == {"critic", "actor", "surrogate"}
    for name, norm in gradients.norms[1].items():
        assert_close(gradients.logged[1][name].mean(), norm)


def test_gradients_are_scaled_down_to_the_largest_norm_and_logged_as_they_were():
    free, clipped = Gradients(), Gradients()
    fit(make_module(), make_stream(1), free)
    limit = 0.5 * min(free.norms[0].values()).item()
    fit(make_module(more={"max_gradient_norm": limit}), make_stream(1), clipped)
    for name, norm in clipped.norms[0].items():
        assert norm.item() == pytest.approx(limit, rel=1e-3)
        assert_close(clipped.logged[0][name], free.logged[0][name])


def test_a_gradient_that_is_not_finite_stops_before_it_touches_a_parameter():
    module = make_module()
    before, parameter = state(module), next(module.critic.parameters())
    parameter.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(DivergenceError, match="the norm of the gradient of critic loss became (nan|inf)"):
        fit(module, make_stream(1))
    assert not {name for name in changed(before, state(module)) if ".estimator." not in name}


def test_what_the_next_row_shows_survives_a_checkpoint(tmp_path):
    module = make_module()
    trainer = fit(module, make_stream(3))
    trainer.save_checkpoint(tmp_path / "a.ckpt", weights_only=False)
    back = make_module(seed=1)
    fit(back, make_stream(3), ckpt_path=tmp_path / "a.ckpt")
    assert {name: value.mean() for name, value in module.metrics.items()} == back.metrics


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # Dynamo looks at each input's
@pytest.mark.parametrize("block", ["pqc", "fc", "rbg"])
def test_fifty_compiled_updates_equal_eager_ones(block):
    losses = {}
    for mode in (None, "default"):
        module, rows = make_module(block, more={"compile_mode": mode}), []

        class Keep(Callback):
            def on_train_batch_end(self, trainer, pl_module, *args, rows=rows):
                rows.append({name: value.mean().item() for name, value in pl_module.metrics.items()})

        fit(module, make_stream(50), Keep())
        losses[mode] = rows
    for compiled, eager in zip(losses["default"], losses[None], strict=True):
        assert compiled == pytest.approx(eager, rel=1e-4, abs=1e-5)


def fitted_to(module, batch):
    """Return q_in and q_out of the pairs that an update fits the qtDNN to."""
    estimator, given = module.actor.layer.estimator, []
    fit_pairs = estimator.fit
    estimator.fit = lambda q_in, q_out, **how: given.append((q_in, q_out)) or fit_pairs(q_in, q_out, **how)
    fit(module, Batches([batch]))
    return given[0]


def test_pairs_come_from_where_they_are_wanted():
    batch = Batch(make_rows(0), env_steps=1, recent=make_rows(1))
    stored, _ = fitted_to(make_module(), batch)
    recent, q_out = fitted_to(make_module(pairs="recent"), batch)
    assert torch.equal(stored, batch.transitions[Q_IN])
    assert torch.equal(recent, batch.recent[Q_IN]) and torch.equal(q_out, batch.recent[Q_OUT])
    with pytest.raises(ConfigError, match="bring no newest rows"):
        fit(make_module(pairs="recent"), Batches([Batch(make_rows(0), env_steps=1)]))


def test_fresh_pairs_are_runs_of_the_current_actor_for_some_rows_with_noise():
    batch, module = Batch(make_rows(0), env_steps=1), make_module(pairs="fresh", fresh_rows=4)
    clean, _ = module.actor.encode(batch.transitions[OBSERVATION])
    q_in, q_out = fitted_to(module, batch)
    assert torch.equal(q_in, clean[:4]) and q_out.shape == (4, N_OUT)
    noisy, _ = fitted_to(make_module(pairs="fresh", fresh_noise=0.1), batch)
    assert 0.05 < (noisy - clean).std() < 0.2
    both, _ = fitted_to(make_module(pairs="mixed", fresh_rows=4), batch)
    assert torch.equal(both[:BATCH], batch.transitions[Q_IN]) and torch.equal(both[BATCH:], clean[:4])


def test_statistics_of_observations_are_saved_and_only_change_when_shown():
    module = make_module("fc", normalize="running")
    module.observe(make_rows(3)[OBSERVATION])
    before = state(module)
    fit(module, make_stream(4))
    norms = [name for name in before if ".norm." in name]
    assert {name.split(".")[0] for name in norms} == {"actor", "critic", "actor_target", "critic_target"}
    assert all(torch.equal(module.state_dict()[name], before[name]) for name in norms)
    assert before["critic.norm.count"] == BATCH


def test_a_penalty_draws_the_angles_to_the_base_point():
    def squared_distance(module):
        q_in, _ = module.actor.encode(make_rows()[OBSERVATION])
        return (q_in - module.actor.layer.block.base).square().sum(1).mean().item()

    free, drawn = (make_module(settings={"policy_delay": 1, "angle_penalty": weight}) for weight in (0.0, 5.0))
    before = squared_distance(free)
    for module in (free, drawn):
        fit(module, make_stream(20, make_rows()))
    assert squared_distance(drawn) < 0.9 * before and squared_distance(drawn) < squared_distance(free)


def test_a_penalty_keeps_the_actors_tanh_out_of_saturation():
    def mean_square(module):
        with approximated(module.actor), torch.no_grad():
            return module.actor.unbounded(make_rows()[OBSERVATION]).square().mean().item()

    free, held = (make_module(settings={"policy_delay": 1, "preactivation_penalty": w}) for w in (0.0, 5.0))
    before = mean_square(free)
    for module in (free, held):
        fit(module, make_stream(20, make_rows()))
    assert mean_square(held) < 0.9 * before and mean_square(held) < mean_square(free)


def test_a_penalty_of_no_weight_changes_nothing():
    free, held = (make_module(settings={"preactivation_penalty": weight}) for weight in (0.0, 1e-30))
    for module in (free, held):
        fit(module, make_stream(4))
    assert changed(free.state_dict(), held.state_dict()) == set()
    assert free.meters.ledger == held.meters.ledger


def test_an_actor_that_does_not_tell_what_its_tanh_receives_takes_no_penalty():
    class Own(torch.nn.Module):
        pass

    with pytest.raises(ConfigError, match="preactivation_penalty needs `unbounded` of Own"):
        TD3(
            Own(),
            TwinCritic(OBSERVATIONS, ACTIONS),
            preactivation_penalty=1.0,
            **{f"{name}_optimizer": torch.optim.SGD for name in ("actor", "critic", "surrogate")},
        )
