"""TD3 with actors of two quantum layers: every part of a run finds both."""

import csv
import json
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml
from lightning.pytorch import Trainer
from tensordict import TensorDict
from two_layer_actors import NAMES

from qtrl.algos import TD3, FusedAdam
from qtrl.callbacks import AtomicCheckpointIO
from qtrl.config.location import config_dir
from qtrl.keys import ACTION, NEXT_OBSERVATION, OBSERVATION, REWARD, TERMINATED, pair_keys
from qtrl.nn import PQC, QtDNNEstimator, TwinCritic, quantum_layers
from qtrl.process.quiet import quiet_libraries
from qtrl.quantum import efficient_su2, make_engine
from qtrl.specs import Batch

BATCH, N_IN, N_OUT = 6, 8, 2


class Batches:
    """Minibatches that Lightning iterates over, and that remember where they were."""

    def __init__(self, names, count=4):
        self.batches = [Batch(rows(names, number), env_steps=number) for number in range(count)]
        self.position = 0

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


def rows(names, seed):
    randn = partial(torch.randn, BATCH, generator=torch.Generator().manual_seed(seed))
    made = TensorDict({OBSERVATION: randn(3), ACTION: randn(1).tanh(), NEXT_OBSERVATION: randn(3)}, [BATCH])
    made[REWARD], made[TERMINATED] = randn(1), torch.zeros(BATCH, 1, dtype=torch.bool)
    for q_in, q_out in pair_keys(names).values():
        made[q_in], made[q_out] = randn(N_IN), randn(N_OUT).sigmoid()
    return made


def make_module(kind, *, seed=0, **estimator):
    torch.manual_seed(seed)
    block = PQC(N_IN, N_OUT, circuit=efficient_su2(N_OUT, reps=1), engine=make_engine("statevector"), shots=5)
    actor = kind(3, 1, block, partial(QtDNNEstimator, hidden=7, **estimator))
    optimizers = {f"{name}_optimizer": partial(FusedAdam, lr=1e-2) for name in ("actor", "critic", "surrogate")}
    return TD3(actor, TwinCritic(3, 1, hidden=5), **optimizers)


def fit(module, batches, **options):
    quiet_libraries()
    off = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    trainer = Trainer(accelerator="cpu", max_epochs=1, plugins=[AtomicCheckpointIO()], **dict.fromkeys(off, False))
    trainer.fit(module, batches, **options)
    return trainer


@pytest.fixture(params=NAMES, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


def test_both_qtdnns_are_fitted_and_the_targets_share_them(kind):
    module = make_module(kind)
    layers = quantum_layers(module.actor)
    before = {name: {key: value.clone() for key, value in layer.state_dict().items()} for name, layer in layers.items()}
    fit(module, Batches(layers))
    for name, layer in layers.items():
        assert before[name].keys() == layer.state_dict().keys() and before[name]
        assert not any(torch.equal(before[name][key], value) for key, value in layer.state_dict().items())
        assert quantum_layers(module.actor_target)[name].estimator is layer.estimator
    assert module.metrics["surrogate/bce_before"].shape == (2,)
    assert set(module.q_out) == set(layers)


def test_each_layer_is_fitted_to_its_own_pairs(kind):
    module, bce = make_module(kind), torch.nn.functional.binary_cross_entropy_with_logits
    layers = quantum_layers(module.actor)
    batches = Batches(layers, count=1)
    given = batches.batches[0].transitions
    losses = [
        bce(layers[name].estimator.logits(given[q_in]), given[q_out]).detach()
        for name, (q_in, q_out) in pair_keys(layers).items()
    ]
    fit(module, batches)
    torch.testing.assert_close(module.metrics["surrogate/bce_before"], torch.stack(losses))


def test_the_ledger_counts_both_layers(kind):
    module = make_module(kind, pairs="fresh", value="block")
    fit(module, Batches(quantum_layers(module.actor)))
    circuits = module.meters.ledger.circuits
    assert (circuits["fit"], circuits["target"], circuits["actor"]) == (2 * 4 * BATCH, 2 * 4 * BATCH, 2 * 2 * BATCH)
    assert module.meters.ledger.parameter_shift_circuits == 2 * BATCH * (4 + 2 * (1 + 2 * N_IN))


def test_a_restored_run_goes_on_as_if_nothing_had_happened(kind, tmp_path):
    whole, first, second = make_module(kind), make_module(kind), make_module(kind, seed=1)
    names = quantum_layers(whole.actor)
    fit(whole, Batches(names))
    fit(first, Batches(names, count=2)).save_checkpoint(tmp_path / "a.ckpt")
    fit(second, Batches(names), ckpt_path=tmp_path / "a.ckpt", weights_only=True)
    state = whole.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in second.state_dict().items())
    for name, layer in quantum_layers(second.actor).items():
        assert quantum_layers(second.actor_target)[name].estimator is layer.estimator


def test_a_whole_run_with_two_layers_records_probes_resumes_and_is_tested(train, evaluate, tmp_path, capsys):
    folder, trust = tmp_path / "run", "trust=[two_layer_actors.SeriesActor]"
    actor = ("actor=mlp", "actor._target_=two_layer_actors.SeriesActor", "circuit.n_qubits=2", "circuit.reps=1")
    smoke = ("experiment=pendulum_pqc", "debug=smoke", "logger=csv", "callbacks.test_max_episode_steps=10", trust)
    short = ("total_env_steps=60", "env.max_episode_steps=20", "actor.hidden=16", "critic.hidden=16")
    assert train(*smoke, *short, *actor, f"run_dir={folder}") == 0
    recorded = {path.stem for path in (folder / "checkpoints/replay/rank0").glob("q_*.bin")}
    assert recorded == {f"{key}.{layer}" for key in ("q_in", "q_out") for layer in ("first", "rest_1")}
    with (folder / "metrics.csv").open(newline="") as file:
        probed = {name for row in csv.DictReader(file) for name, value in row.items() if value}
    for layer in ("first", "rest_1"):
        assert {f"probe/{layer}/{name}" for name in ("bce", "jacobian_cosine/q1", "calibration_error/q1")} <= probed
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[3] for line in said if line.startswith("qtrl: quantum layer ")] == ["first", "rest.1"]
    assert set(json.loads((folder / "summary.json").read_text())["quantum_layers"]) == {"first", "rest.1"}
    assert train("resume=true", f"run_dir={folder}", "total_env_steps=70", trust) == 0
    circuits = json.loads((folder / "summary.json").read_text())["circuits_by_purpose"]
    assert (circuits["collect"], circuits["test"] % 20) == (2 * 70, 0)
    assert evaluate(f"run={folder}", "ablation=frozen_policy", "episodes=5", trust, *without_most_conditions()) == 0
    (path,) = (folder / "eval").glob("*.json")
    found = {condition["name"]: condition for condition in json.loads(path.read_text())["conditions"]}
    assert found["own"]["cost"]["circuits"] == 2 * 5 * 20 and found["zeros"]["cost"]["circuits"] == 0


def without_most_conditions():
    ablation = yaml.safe_load(Path(config_dir(), "ablation", "frozen_policy.yaml").read_text())["ablation"]
    return [f"~ablation.conditions.{name}" for name in ablation["conditions"] if name not in ("zeros", "surrogate")]
