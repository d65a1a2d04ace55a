"""What quantum layers return, how much the actor uses it, and how good the gradient through them is.

Shapes: `B` rows, `P` angles, `n` qubits.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.nn import functional as F

from qtrl.algos.td3_loss import actor_loss
from qtrl.callbacks.periodic import Periodic
from qtrl.callbacks.protocols import ReplayStream, RLLearner, source_of
from qtrl.callbacks.results import ProbeHistory
from qtrl.data import Replay
from qtrl.keys import OBSERVATION, layer_labels
from qtrl.meters import Cost
from qtrl.nn import (
    QuantumLayer,
    QuantumLayers,
    TwinCritic,
    approximated,
    classical_parameters,
    quantum_layers,
    replaced,
)
from qtrl.nn.fidelity import agreement, explained_share, jacobian, relative_change, signal_to_noise
from qtrl.process.threads import one_thread
from qtrl.quantum import Executable, make_engine
from qtrl.quantum.gradients import exact_expectations
from qtrl.quantum.information import spread, state_entropy, total_correlation
from qtrl.seeding import seed_for
from qtrl.surrogate.fidelity import bce_floor, calibration_error

_PROBABILITIES = 2**22
"""Numbers that the joint probabilities of the rows looked at together may be."""
Pair = tuple[Tensor, Tensor]
"""What a block received, (B, P), and returned, (B, n)."""


def layer_metrics(executable: Executable, angles: Tensor) -> dict[str, Tensor]:
    """Measure what the circuit's exact distributions say at angles (B, P)."""
    expectations, entropy, correlation = executable.expectations(angles), [], []
    for rows in angles.split(max(1, _PROBABILITIES >> executable.circuit.n_qubits)):
        probabilities = executable.probabilities(rows).double()
        entropy.append(state_entropy(probabilities))
        correlation.append(total_correlation(probabilities))
    return {
        "expectation_mean": expectations.mean(),
        "expectation_std": spread(expectations),
        "state_entropy": torch.cat(entropy).mean(),
        "total_correlation": torch.cat(correlation).mean(),
    }


def surrogate_metrics(logits: Tensor, means: Tensor) -> dict[str, Tensor]:
    """Compare a surrogate's logits (B, n) with the exact means (B, n) of what the block returns."""
    bce, floor = F.binary_cross_entropy_with_logits(logits, means), bce_floor(means)
    errors = calibration_error(logits, means)
    return {
        "bce": bce,
        "bce_floor": floor,
        "bce_excess": bce - floor,
        "calibration_error": errors.mean(),
        "calibration_error_worst": errors.max(),
    } | {f"calibration_error/q{qubit}": error for qubit, error in enumerate(errors)}


def action_metrics(
    actor: nn.Module, layer: QuantumLayer, observation: Tensor, q_out: Tensor, *, generator: torch.Generator
) -> dict[str, Tensor]:
    """Measure how far the actions for observations (B, O) depend on what a quantum layer returned for them, (B, n)."""

    def action(outputs: Tensor) -> Tensor:
        with replaced(layer, lambda *_: outputs):
            return actor(observation, generator)

    own, held, shuffled = (action(value) for value in (q_out, q_out.mean(dim=0).expand_as(q_out), q_out.roll(1, 0)))
    return {"explained_share": explained_share(own, held), "shuffle_change": relative_change(own, shuffled)}


def gradient_metrics(
    actor: nn.Module, layer: QuantumLayer, critic: TwinCritic, observation: Tensor, *, generator: torch.Generator
) -> dict[str, Tensor]:
    """Compare the gradient of the actor's loss through a layer's estimator with that of a differentiable engine.

    It is taken in the layer's angles, and in the parameters that the angles depend on. Other layers are approximated.
    """
    assert layer.block.executable is not None
    executable = _differentiable(layer.block.executable)

    def estimated(q_in: Tensor) -> Tensor:
        return layer.estimator(layer.block, q_in, generator)

    def exact(q_in: Tensor) -> Tensor:
        return exact_expectations(executable, q_in, layer.block.readout_error)

    def gradients(function: Callable[[Tensor], Tensor]) -> tuple[Tensor, ...]:
        received: list[Tensor] = []

        def recording(q_in: Tensor, _: torch.Generator | None) -> Tensor:
            received.append(q_in)
            return function(q_in)

        with approximated(actor), replaced(layer, recording):
            loss = actor_loss(critic.first(observation, actor(observation, generator)))
        inputs = [received[0], *_parameters_before(received[0], actor)]
        return torch.autograd.grad(loss, inputs, allow_unused=True, materialize_grads=True)

    (angles, *weights), (exact_angles, *exact_weights) = gradients(estimated), gradients(exact)
    cosine, ratio = agreement(weights, exact_weights)
    angle_cosine, angle_ratio = agreement([angles], [exact_angles])
    return {
        "gradient_cosine": cosine,
        "gradient_ratio": ratio,
        "angle_gradient_cosine": angle_cosine,
        "angle_gradient_ratio": angle_ratio,
    }


def jacobian_metrics(layer: QuantumLayer, q_in: Tensor) -> dict[str, Tensor]:
    """Compare the Jacobian of a layer's model of its block with that of a differentiable engine, at angles (B, P)."""
    assert layer.block.executable is not None
    executable = _differentiable(layer.block.executable)

    def model(angles: Tensor) -> Tensor:
        logits = layer.estimator.logits(angles)
        assert logits is not None
        return logits.sigmoid()

    exact = jacobian(lambda angles: exact_expectations(executable, angles, layer.block.readout_error), q_in)
    measured = {"jacobian_norm": exact.square().sum(dim=(0, 2)).mean().sqrt()}
    if layer.estimator.logits(q_in) is None:
        return measured
    estimated = jacobian(model, q_in)
    measured["jacobian_cosine"] = agreement([estimated], [exact])[0]
    cosines = [agreement([one], [other])[0] for one, other in zip(estimated, exact, strict=True)]
    return measured | {f"jacobian_cosine/q{qubit}": cosine for qubit, cosine in enumerate(cosines)}


def _parameters_before(q_in: Tensor, actor: nn.Module) -> list[nn.Parameter]:
    """List the parameters that the angles depend on."""
    parameters = classical_parameters(actor)
    found = torch.autograd.grad(q_in.sum(), parameters, retain_graph=True, allow_unused=True)
    return [parameter for parameter, gradient in zip(parameters, found, strict=True) if gradient is not None]


class Probe(Periodic):
    """Measure on rows of the replay, every so many env steps and at the end, without an effect on the training.

    Rank 0 alone measures, on rows drawn anew each time, with the actor's present angles. Quantum layers without a
    circuit are left out. So is what is not defined, such as a cosine with a gradient of 0; what needs exact values, on
    an engine that can only sample; and gradients of a block that does not return what is read of its circuit, which
    have no exact ones to be compared with.

    Args:
        rows: Rows of the replay to measure on.
        every_env_steps: Interval between measurements.
        seed: Seeds the choice of rows and the block's random draws.
        total_env_steps: Length of the run; see `qtrl.callbacks.results` for what is summed up at its end.
    """

    def __init__(self, *, rows: int, every_env_steps: int, seed: int, total_env_steps: int) -> None:
        super().__init__(every_env_steps)
        self._rows, self._seed = rows, seed
        self._history = ProbeHistory(total_env_steps)

    def summary(self) -> dict[str, Any]:
        """Return what `summary.json` says of the quantum layers."""
        return {"quantum_layers": self._history.means()}

    def conclusions(self) -> Sequence[str]:
        """Say of each layer whether it was used and whether its gradient pointed the right way."""
        return self._history.lines()

    def state_dict(self) -> dict[str, Any]:
        """Return where the last probe is, and what all of them found."""
        return super().state_dict() | {"history": self._history.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        super().load_state_dict(state_dict)
        self._history.load_state_dict(state_dict["history"])

    def measure(self, trainer: Trainer, module: RLLearner) -> None:
        """Measure and log."""
        layers, meters = quantum_layers(module.actor), module.meters
        stream: ReplayStream = source_of(trainer)
        probed = [name for name, layer in layers.items() if layer.block.executable is not None]
        if not probed or not trainer.is_global_zero or not len(stream.replay):
            return
        with meters.stopwatch.section("probe"), meters.ledger.timed("probe", layers), one_thread():
            metrics = self._metrics(module, layers, probed, stream.replay)
        row: dict[str, float] = {"env_steps": module.env_steps, "updates": module.updates}
        row |= {f"probe/{name}": value for name, value in metrics.items()}
        for logger in trainer.loggers:
            logger.log_metrics(row)

    def _metrics(self, module: RLLearner, layers: QuantumLayers, probed: list[str], replay: Replay) -> dict[str, float]:
        rows = replay.draw(self._rows, self._generator("rows", module, "cpu"))
        observation = rows[OBSERVATION].to(module.device)
        generator = self._generator("draws", module, module.device)
        with torch.no_grad():
            module.actor(observation, generator)
        module.meters.ledger.add("probe", layers.block_cost(self._rows))
        pairs, labels = {name: layers[name].pair for name in probed}, layer_labels(layers)
        metrics: dict[str, float] = {}
        for name, pair in pairs.items():
            assert pair is not None
            measured = self._layer(module, layers[name], observation, pair, generator=generator)
            self._book(module, layers, name, measured)
            prefix, values = f"{labels[name]}/" if labels[name] else "", _numbers(measured)
            self._history.add(module.env_steps, name, values)
            metrics |= {f"{prefix}{metric}": value for metric, value in values.items()}
        layers.forget()
        return metrics

    def _layer(
        self, module: RLLearner, layer: QuantumLayer, observation: Tensor, pair: Pair, *, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Measure a quantum layer by the `pair` of its block's last run."""
        (q_in, q_out), executable = pair, layer.block.executable
        assert executable is not None
        with torch.no_grad():
            measured = layer_metrics(executable, q_in) if executable.capabilities.exact else {}
            measured |= action_metrics(module.actor, layer, observation, q_out, generator=generator)
            measured["angle_displacement"] = (q_in - layer.block.base).norm(dim=1).mean()
            if executable.capabilities.exact:
                means, logits = layer.block.mean(q_in), layer.estimator.logits(q_in)
                measured["signal_to_shot_noise"] = signal_to_noise(means, q_out)
                measured |= {} if logits is None else surrogate_metrics(logits, means)
        if layer.block.returns_readout and executable.capabilities.exact:
            measured |= jacobian_metrics(layer, q_in)
            measured |= gradient_metrics(module.actor, layer, module.critic, observation, generator=generator)
        return measured

    def _generator(self, purpose: str, module: RLLearner, device: torch.device | str) -> torch.Generator:
        """Begin anew each time, so that nothing has to be kept over a resume."""
        seed = seed_for(self._seed, f"probe {purpose} at {module.env_steps}")
        return torch.Generator(device).manual_seed(seed)

    def _book(self, module: RLLearner, layers: QuantumLayers, name: str, measured: dict[str, Tensor]) -> None:
        """Book the circuits of what was measured of a layer, and those of the others on the way."""
        rows, others = self._rows, QuantumLayers({other: layers[other] for other in layers if other != name})
        costs = [others.block_cost(rows)] * 3
        if "state_entropy" in measured:
            costs.append(Cost(circuits=2 * rows))  # expectations, probabilities
        if "signal_to_shot_noise" in measured:
            costs.append(Cost(circuits=rows))  # means
        if "jacobian_norm" in measured:
            costs.append(Cost(circuits=rows))  # the exact Jacobian
        if "gradient_ratio" in measured:  # the exact gradient, and the estimator's
            costs += [Cost(circuits=rows), layers[name].cost(rows, gradient=True)]
            costs += [others.cost(rows, gradient=True)] * 2
        for cost in costs:
            module.meters.ledger.add("probe", cost)


def _numbers(measured: dict[str, Tensor]) -> dict[str, float]:
    """Return what is defined of what was measured."""
    values = {metric: value.item() for metric, value in measured.items()}
    return {metric: value for metric, value in values.items() if math.isfinite(value)}


def _differentiable(executable: Executable) -> Executable:
    """Return the executable's twin on `statevector`, with the same clock.

    It is differentiable on every device, and nothing has to be compiled for the few gradients of a probe.
    """
    twin = make_engine("statevector").prepare(executable.circuit)
    twin.clock = executable.clock
    return twin
