import math
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch import nn

from qtrl.callbacks import MetricRows, Probe
from qtrl.callbacks.metrics import probe as probe_module
from qtrl.callbacks.metrics.probe import (
    action_metrics,
    gradient_metrics,
    jacobian_metrics,
    layer_metrics,
    surrogate_metrics,
)
from qtrl.config.instantiate import construct_task
from qtrl.keys import METRICS, probe_metrics
from qtrl.loggers import MetricsCSV
from qtrl.meters import Cost
from qtrl.nn import (
    PQC,
    Block,
    ExactEstimator,
    GradientEstimator,
    HybridActor,
    QuantumLayer,
    TwinCritic,
    ZeroEstimator,
)
from qtrl.process.quiet import quiet_libraries
from qtrl.quantum import Circuit, efficient_su2, make_engine
from qtrl.tasks import RunContext

QUBITS, ANGLES, ROWS = 2, 8, 6
LAYER = {"expectation_mean", "expectation_std", "state_entropy", "total_correlation", "signal_to_shot_noise"}
ACTION = {"explained_share", "shuffle_change", "angle_displacement"}
GRADIENT = {"gradient_cosine", "gradient_ratio", "angle_gradient_cosine", "angle_gradient_ratio"}
JACOBIAN = {"jacobian_cosine", *(f"jacobian_cosine/q{qubit}" for qubit in range(QUBITS))}
MODEL = {"bce", "bce_floor", "bce_excess", "calibration_error", "calibration_error_worst"}
EACH_QUBIT = {f"calibration_error/q{qubit}" for qubit in range(QUBITS)}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def numbers(metrics):
    return {name: value.item() for name, value in metrics.items()}


@pytest.mark.parametrize(
    ("reps", "deviation", "mean", "spread", "entropy"),
    [(10, 0.1, 0.07, 0.009, 2.0), (10, 0.5, 0.48, 0.022, 9.3), (10, 3.0, 0.5, 0.02, 9.4), (2, 3.0, 0.5, 0.12, 8.6)],
)
def test_a_deep_circuit_at_random_angles_answers_everything_alike(reps, deviation, mean, spread, entropy):
    executable = make_engine("statevector").prepare(efficient_su2(10, reps))
    n_angles, generator = executable.circuit.n_angles, seeded()
    shared, own = (torch.randn(rows, n_angles, generator=generator) for rows in (1, 256))
    angles = deviation * (math.sqrt(0.91) * shared + math.sqrt(0.09) * own)
    metrics = numbers(layer_metrics(executable, angles))
    assert metrics["expectation_mean"] == pytest.approx(mean, abs=0.02)
    assert metrics["expectation_std"] == pytest.approx(spread, rel=0.1)
    assert metrics["state_entropy"] == pytest.approx(entropy, abs=0.1)


def test_a_layer_of_independent_qubits_by_hand():
    executable = make_engine("statevector").prepare(efficient_su2(2, 0, rotations=("ry",)))
    angles = torch.tensor([[0.0, math.pi / 2], [math.pi, math.pi / 2]])  # probabilities of 1: (0, 0.5), (1, 0.5)
    expected = {"expectation_mean": 0.5, "expectation_std": 0.25, "state_entropy": 1.0, "total_correlation": 0.0}
    assert numbers(layer_metrics(executable, angles)) == pytest.approx(expected, abs=1e-5)


def test_many_qubits_are_looked_at_in_parts(monkeypatch):
    executable = make_engine("statevector").prepare(efficient_su2(4, 2))
    angles = torch.randn(ROWS, 24, generator=seeded())
    whole, batches, run = layer_metrics(executable, angles), [], executable.probabilities
    monkeypatch.setattr(probe_module, "_PROBABILITIES", 2 * 2**4)
    monkeypatch.setattr(executable, "probabilities", lambda rows: batches.append(len(rows)) or run(rows))
    assert numbers(layer_metrics(executable, angles)) == pytest.approx(numbers(whole))
    assert batches == [2, 2, 2]


def test_a_perfect_model_has_no_excess_and_a_fair_one_has_its_divergence():
    means = torch.tensor([[0.25, 0.5], [0.75, 0.5]])
    perfect = numbers(surrogate_metrics(torch.logit(means), means))
    assert perfect["bce"] == pytest.approx(perfect["bce_floor"])
    assert perfect["calibration_error"] == pytest.approx(0, abs=1e-6)
    fair = numbers(surrogate_metrics(torch.zeros(2, 2), means))
    assert fair["bce"] == pytest.approx(math.log(2))
    assert fair["bce_excess"] == pytest.approx((0.25 * math.log(0.5) + 0.75 * math.log(1.5)) / 2, abs=1e-6)
    assert (fair["calibration_error"], fair["calibration_error_worst"]) == pytest.approx((0.125, 0.25))
    assert (fair["calibration_error/q0"], fair["calibration_error/q1"]) == pytest.approx((0.25, 0.0))


class Acting(nn.Module):
    """An actor whose layer returns the first two observations and whose link is the third."""

    def __init__(self, bits_weight, link_weight):
        super().__init__()
        self.layer = QuantumLayer(Echo(2, 2, surrogate=False))
        self.weights = torch.tensor([bits_weight, bits_weight, link_weight])

    def forward(self, observation, generator=None):
        return torch.cat([self.layer(observation[:, :2], generator), observation[:, 2:]], 1) @ self.weights[:, None]


class Echo(Block):
    def forward(self, q_in, generator=None):
        return q_in


def acted(weights):
    observation = torch.tensor([[1.0, 1, 1], [0, 0, 1], [1, 1, 0], [0, 0, 0]])  # each row gets the other bits
    actor = Acting(*weights)
    actor(observation)
    return numbers(action_metrics(actor, actor.layer, observation, actor.layer.pair[1], generator=seeded()))


def test_the_share_of_the_bits_in_the_action_by_hand():
    for weights, share in (((0.0, 1.0), 0.0), ((1.0, 0.0), 1.0), ((1.0, 1.0), 0.8), ((0.5, -1.0), 0.5)):
        assert acted(weights)["explained_share"] == pytest.approx(share)


def test_shuffling_the_bits_by_hand():
    for weights, change in (((0.0, 1.0), 0.0), ((1.0, 0.0), 2.0), ((1.0, 2.0), math.sqrt(2.0))):
        assert acted(weights)["shuffle_change"] == pytest.approx(change)


def make_networks(estimator=None, *, links=2, engine="statevector"):
    torch.manual_seed(0)
    circuit = efficient_su2(QUBITS, reps=1)
    block = PQC(ANGLES, QUBITS, circuit=circuit, engine=make_engine(engine), readout="expectation")
    return HybridActor(3, 2, block, lambda *_: estimator, hidden=7, links=links), TwinCritic(3, 2, hidden=9)


class Scaled(GradientEstimator):
    """The exact value, with a gradient `factor` times the exact one."""

    def __init__(self, factor):
        super().__init__(ANGLES, QUBITS)
        self.factor = factor

    def forward(self, block, q_in, generator=None):
        value = block.executable.expectations(q_in)
        return value.detach() + self.factor * (value - value.detach())

    def cost(self, block, batch, *, gradient):
        return Cost()


def compare(estimator, **options):
    actor, critic = make_networks(estimator, **options)
    observation, layer = torch.randn(ROWS, 3, generator=seeded()), actor.layer
    return numbers(gradient_metrics(actor, layer, critic, observation, generator=seeded()))


def test_the_exact_gradient_agrees_with_itself():
    assert compare(ExactEstimator(ANGLES, QUBITS)) == pytest.approx(dict.fromkeys(GRADIENT, 1.0))


def test_without_links_a_scaled_gradient_is_scaled_in_the_weights_as_well():
    signs = compare(Scaled(-0.5), links=0)
    assert signs == pytest.approx(
        {
            "gradient_cosine": -1.0,
            "gradient_ratio": 0.5,
            "angle_gradient_cosine": -1.0,
            "angle_gradient_ratio": 0.5,
        }
    )


def test_links_flatter_the_cosine_of_the_weights_and_not_that_of_the_angles():
    wrong = compare(Scaled(-1.0))
    assert wrong["angle_gradient_cosine"] == pytest.approx(-1)
    assert wrong["gradient_cosine"] > wrong["angle_gradient_cosine"] + 0.1
    zero = compare(ZeroEstimator(ANGLES, QUBITS))
    assert zero["angle_gradient_ratio"] == 0
    assert math.isnan(zero["angle_gradient_cosine"])
    assert 0 < zero["gradient_ratio"] < 1


@pytest.fixture
def small_run(compose, tmp_path):
    """A run of 30 env steps, 10 of them warm-up, with a probe every 10."""

    def run(gradient="qtdnn", *, block="pqc", probe=True, callbacks=(), overrides=()):
        quiet_libraries()
        cfg = compose(
            f"experiment=paper/pendulum_{block}",
            "debug=smoke",
            f"gradient={gradient}",
            f"circuit.n_qubits={QUBITS}",
            "circuit.reps=1",
            "actor.hidden=8",
            "critic.hidden=8",
            "total_env_steps=30",
            "warmup_env_steps=10",
            *overrides,
        )
        task, context = construct_task(cfg), RunContext(tmp_path, seed=cfg.seed)
        module = task.make_module(context)
        stream = task.make_data(module, context)
        logger = Rows()
        off = ("enable_checkpointing", "enable_progress_bar", "enable_model_summary")
        probes = [Probe(rows=ROWS, every_env_steps=10, seed=0, total_env_steps=30)] if probe else []
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=1,
            logger=logger,
            callbacks=[*probes, *callbacks],
            **dict.fromkeys(off, False),
        )
        trainer.fit(module, stream)
        made = {"module": module, "stream": stream, "probe": next(iter(probes), None)}
        return SimpleNamespace(**made, rows=logger.rows, random_state=torch.get_rng_state())

    return run


class Rows(MetricsCSV):
    """Keeps the rows in memory."""

    def __init__(self):
        super().__init__(None)
        self.rows = []

    def log_metrics(self, metrics, step=None):
        assert set(metrics) <= {*METRICS, *probe_metrics({"layer": QUBITS})}
        self.rows.append(dict(metrics))


def probed(row):
    return {name.partition("/")[2]: value for name, value in row.items() if name.startswith("probe/")}


@pytest.mark.parametrize(
    ("surrogate", "circuits", "shots"),
    [
        ("qtdnn", 5 + 1, 100),  # expectations, probabilities, means, Jacobian, gradient; the block itself
        ("exact", 5 + 1 + 1, 100),
        ("parameter_shift", 5 + 1 + 1 + 2 * ANGLES, 100),
        ("spsa", 5 + 1 + 1 + 2, 100),
        ("straight_through", 5 + 1 + 1 + 1, 200),
        ("zero", 5 + 1 + 1, 200),
    ],
)
def test_every_estimator_is_probed_when_due_and_its_circuits_are_booked(small_run, surrogate, circuits, shots):
    run = small_run(surrogate)
    assert [row["env_steps"] for row in run.rows] == [11, 20, 30]
    expected = LAYER | ACTION | GRADIENT | {"jacobian_norm"}
    expected |= MODEL | EACH_QUBIT | JACOBIAN if surrogate == "qtdnn" else set()
    for row in run.rows:
        assert row["updates"] == row["env_steps"] - 10
        assert set(probed(row)) == expected - ({"angle_gradient_cosine"} if surrogate == "zero" else set())
    ledger, seconds = run.module.meters.ledger, run.module.meters.stopwatch.seconds
    assert (ledger.circuits["probe"], ledger.shots["probe"]) == (3 * ROWS * circuits, 3 * ROWS * shots)
    assert 0 < ledger.seconds["probe"] < seconds["probe"]


def test_outputs_in_random_order_have_no_exact_gradient_to_be_compared_with(small_run):
    run = small_run(overrides=["control=shuffled"])
    assert all(set(probed(row)) == LAYER | ACTION | MODEL | EACH_QUBIT for row in run.rows) and run.rows
    ledger = run.module.meters.ledger
    assert (ledger.circuits["probe"], ledger.shots["probe"]) == (3 * ROWS * 4, 3 * ROWS * 100)


def test_on_an_engine_that_can_only_sample_nothing_exact_is_measured(small_run):
    run = small_run(overrides=["engine=statevector", "engine._target_=sampling_engine.SamplingEngine"])
    assert all(set(probed(row)) == ACTION for row in run.rows) and run.rows
    ledger = run.module.meters.ledger
    assert (ledger.circuits["probe"], ledger.shots["probe"]) == (3 * ROWS, 3 * ROWS * 100)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("surrogate", ["qtdnn", "spsa"])
def test_a_probe_leaves_no_trace_in_the_training(small_run, surrogate):
    on, off = (small_run(surrogate, probe=probe, callbacks=[MetricRows(every_env_steps=10)]) for probe in (True, False))
    assert same(on.module.state_dict(), off.module.state_dict())
    assert same(on.module.mechanics.generators.state_dict(), off.module.mechanics.generators.state_dict())
    assert torch.equal(on.random_state, off.random_state)
    replays = on.stream.replay, off.stream.replay
    assert (replays[0].buffer[:30] == replays[1].buffer[:30]).all()
    assert torch.equal(*(replay.state_dict()["generator"] for replay in replays))
    learned, alike = (
        [
            {name: value for name, value in row.items() if not name.startswith(("time/", "quantum/"))}
            for row in run.rows
            if not probed(row)
        ]
        for run in (on, off)
    )
    assert learned == alike
    for net in (on.module.actor, on.module.critic):
        assert all(parameter.requires_grad for parameter in net.parameters())


@pytest.mark.parametrize("block", ["fc", "rbg", "zeros"])
def test_a_block_without_a_circuit_is_left_alone(small_run, block):
    run = small_run(block=block)
    assert run.rows == []
    assert (run.probe.summary(), run.probe.conclusions()) == ({"quantum_layers": {}}, [])
    assert "probe" not in run.module.meters.ledger.circuits


def test_probes_repeat_with_the_seed_and_draw_other_rows_each_time(small_run):
    first, again = (small_run(overrides=["algo.actor_optimizer.lr=0"]).rows for _ in range(2))
    assert first == again
    assert first[0]["probe/expectation_std"] != first[1]["probe/expectation_std"]


def test_the_time_of_probes_does_not_count_as_learning(small_run, monkeypatch):
    import time

    monkeypatch.setattr(probe_module, "layer_metrics", lambda *_: time.sleep(0.3) or {})
    seconds = small_run().module.meters.stopwatch.seconds
    assert seconds["probe"] >= 0.9
    parts = sum(seconds[part] for part in ("env", "policy", "replay", "surrogate", "critic", "actor"))
    assert seconds["learning"] + seconds["warmup"] < parts + 0.6


def test_the_exact_gradient_comes_from_a_twin_on_the_same_clock():
    actor, _ = make_networks(engine="reference")
    executable = actor.layer.block.executable
    twin = probe_module._differentiable(executable)
    assert (twin.engine, twin.circuit) == ("statevector", executable.circuit)
    assert twin.clock is executable.clock


class Elsewhere(Callback):
    """Asks the probe again, as on a rank that is not the first."""

    def on_train_end(self, trainer, pl_module):
        (probe,) = (callback for callback in trainer.callbacks if isinstance(callback, Probe))
        probe._measure(SimpleNamespace(is_global_zero=False, train_dataloader=trainer.train_dataloader), pl_module)


def test_rank_0_alone_measures(small_run):
    run = small_run(callbacks=[Elsewhere()])
    assert len(run.rows) == 3


class Model(GradientEstimator):
    """Models the block by probabilities whose slopes are `factors`, one for each qubit, times the exact ones."""

    def __init__(self, block, factors):
        super().__init__(block.n_in, block.n_out)
        self.factors, self.executable = torch.tensor(factors), block.executable

    def forward(self, block, q_in, generator=None):
        return self.logits(q_in).sigmoid()

    def logits(self, q_in):
        return torch.logit(0.5 + self.factors * (self.executable.expectations(q_in) - 0.5))

    def cost(self, block, batch, *, gradient):
        return Cost()


def jacobians(factors=None, *, angles=((math.pi / 2, math.pi / 2), (0.0, math.pi / 6)), readout_error=0.0):
    """Measure two qubits turned by an angle each: slopes sin(angle) / 2, so 1/2 and 1/2, then 0 and 1/4."""
    circuit, engine = efficient_su2(2, 0, rotations=("ry",)), make_engine("statevector")
    options = {"circuit": circuit, "engine": engine, "readout": "expectation", "readout_error": readout_error}
    block = PQC(2, 2, **options)
    estimator = ZeroEstimator(2, 2) if factors is None else Model(block, factors)
    layer = QuantumLayer(block, estimator)
    return numbers(jacobian_metrics(layer, torch.tensor(angles)))


def test_slopes_of_a_scaled_model_by_hand():
    assert jacobians([0.5, 0.5]) == pytest.approx(dict.fromkeys(JACOBIAN, 1.0) | {"jacobian_norm": 0.75 * 0.5**0.5})
    opposed = jacobians([0.5, -0.5])  # squares of slopes: 4/16 of one qubit, 5/16 of the other
    assert opposed["jacobian_cosine"] == pytest.approx(-1 / 9)
    assert (opposed["jacobian_cosine/q0"], opposed["jacobian_cosine/q1"]) == pytest.approx((1, -1))


def test_a_readout_error_flattens_the_exact_slopes():
    assert jacobians(readout_error=0.25) == pytest.approx({"jacobian_norm": jacobians()["jacobian_norm"] / 2})


def test_a_circuit_that_does_not_answer_has_no_slopes_to_compare():
    still = jacobians([0.5, 0.5], angles=((0.0, 0.0),))
    assert still["jacobian_norm"] == pytest.approx(0, abs=1e-7)


def test_angles_bounded_around_a_base_are_displaced_by_no_more(small_run):
    rows = [probed(row) for row in small_run(overrides=["recipe=local"]).rows]
    assert all(0 < row["angle_displacement"] < 0.1 * math.sqrt(ANGLES) for row in rows) and rows


def test_exact_expectations_have_no_shot_noise(small_run):
    rows = [probed(row) for row in small_run(overrides=["block.readout=expectation"]).rows]
    assert rows and not any("signal_to_shot_noise" in row for row in rows)


@pytest.mark.parametrize(
    ("surrogate", "overrides"),
    [("qtdnn", ()), ("exact", ("block.readout=expectation",)), ("qtdnn", ("block.readout=most_probable",))],
)
def test_what_is_booked_is_what_was_run(small_run, surrogate, overrides, monkeypatch):
    from qtrl.quantum import Executable

    ran = []
    for name in ("expectations", "probabilities", "marginals"):
        run = getattr(Executable, name)
        monkeypatch.setattr(
            Executable, name, lambda self, q_in, *rest, run=run: ran.append(len(q_in)) or run(self, q_in, *rest)
        )
    measure = Probe.measure

    def counted(probe, *arguments):
        before = len(ran)
        measure(probe, *arguments)
        counted.total += sum(ran[before:])

    counted.total = 0
    monkeypatch.setattr(Probe, "measure", counted)
    booked = small_run(surrogate, overrides=overrides).module.meters.ledger.circuits["probe"]
    assert counted.total == booked > 0


def test_a_run_ends_with_the_means_of_its_probes(small_run):
    run = small_run()
    rows = [probed(row) for row in run.rows]
    means = {name: sum(row[name] for row in rows) / 3 for name in ("explained_share", "angle_gradient_cosine")}
    assert run.probe.summary() == {"quantum_layers": {"layer": pytest.approx(means)}}
    (line,) = run.probe.conclusions()
    assert f"{means['explained_share']:.2f} of the actions'" in line
    assert f"cosine {means['angle_gradient_cosine']:.2f} with" in line


def test_bell_pairs_are_correlated():
    executable = make_engine("statevector").prepare(Circuit.from_gates(2, [("h", 0), ("cx", 0, 1)]))
    metrics = numbers(layer_metrics(executable, torch.zeros(3, 0)))
    expected = {"expectation_mean": 0.5, "expectation_std": 0.0, "state_entropy": 1.0, "total_correlation": 1.0}
    assert metrics == pytest.approx(expected, abs=1e-6)
