"""What the quantum layer says, what the actor makes of it, and how good the gradient through it is.

Shapes: `B` rows, `P` angles, `n` qubits.
"""

import math
import time
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor
from torch.nn import functional as F

from qtrl.algos import TD3
from qtrl.algos.td3_loss import actor_loss
from qtrl.callbacks.every import Every
from qtrl.data import Replay, Stream
from qtrl.keys import OBSERVATION
from qtrl.meters import Cost
from qtrl.nn import GradientEstimator, HybridActor, TwinCritic
from qtrl.nn.fidelity import agreement, explained_share, relative_change
from qtrl.process.threads import one_thread
from qtrl.quantum import Executable, make_engine
from qtrl.quantum.gradients import exact_expectations
from qtrl.quantum.information import spread, state_entropy, total_correlation
from qtrl.seeding import seed_for
from qtrl.surrogate.fidelity import bce_floor, calibration_error

_PROBABILITIES = 2**22
"""Numbers that the joint probabilities of the rows looked at together may be."""


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


def action_metrics(actor: HybridActor, observation: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Measure how far the actions for observations (B, O) depend on what the block returns."""
    q_in, links = actor.encode(observation)
    q_out = actor.block(q_in, generator)
    action = actor.decode(q_out, links)
    held, shuffled = q_out.mean(dim=0).expand_as(q_out), q_out.roll(1, dims=0)
    return {
        "explained_share": explained_share(action, actor.decode(held, links)),
        "shuffle_change": relative_change(action, actor.decode(shuffled, links)),
    }


def gradient_metrics(
    actor: HybridActor,
    critic: TwinCritic,
    estimator: GradientEstimator,
    observation: Tensor,
    *,
    executable: Executable,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Compare the gradient of the actor's loss through the estimator with the exact one of a differentiable engine."""

    def gradients(exact: bool) -> tuple[Tensor, ...]:
        q_in, links = actor.encode(observation)
        if exact:
            q_out = exact_expectations(executable, q_in, actor.block.readout_error)
        else:
            q_out = estimator(actor.block, q_in, generator)
        loss = actor_loss(critic.first(observation, actor.decode(q_out, links)))
        inputs = [q_in, *actor.pre.parameters()]
        return torch.autograd.grad(loss, inputs, allow_unused=True, materialize_grads=True)

    (angles, *weights), (exact_angles, *exact_weights) = gradients(exact=False), gradients(exact=True)
    cosine, ratio = agreement(weights, exact_weights)
    angle_cosine, angle_ratio = agreement([angles], [exact_angles])
    return {
        "gradient_cosine": cosine,
        "gradient_ratio": ratio,
        "angle_gradient_cosine": angle_cosine,
        "angle_gradient_ratio": angle_ratio,
    }


class Probe(Callback):
    """Measure on rows of the replay, every so many env steps and at the end, without a trace in the training.

    Rank 0 alone measures, on rows drawn anew each time, with PreDNN's present angles. A block without a circuit is left
    alone. What cannot be told, such as a cosine with a gradient of 0, is left out; so are the gradients of a block that
    does not return what is read of its circuit, which have no exact ones to be compared with.

    Args:
        rows: Rows of the replay to measure on.
        every_env_steps: Interval between measurements.
        seed: Seeds the choice of rows and the block's random draws.
    """

    def __init__(self, *, rows: int, every_env_steps: int, seed: int) -> None:
        self._rows, self._every, self._seed, self._last = rows, Every(every_env_steps), seed, -1

    def on_train_start(self, trainer: Trainer, pl_module: TD3) -> None:  # type: ignore[override]
        """Begin to count where the run begins or goes on."""
        self._every.start(pl_module.env_steps)

    def state_dict(self) -> dict[str, Any]:
        """Return where the last measurement is, so that a run that is gone on with does not make it again."""
        return {"last": self._last}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self._last = state_dict["last"]

    def on_train_batch_end(self, trainer: Trainer, pl_module: TD3, *args: Any) -> None:  # type: ignore[override]
        """Measure where it is due; the time does not count as learning."""
        if self._every.due(pl_module.env_steps):
            start = time.perf_counter()
            self._measure(trainer, pl_module)
            pl_module.meters.stopwatch.seconds["learning"] -= time.perf_counter() - start

    def on_train_end(self, trainer: Trainer, pl_module: TD3) -> None:  # type: ignore[override]
        """Measure the final networks, unless that was just done."""
        if pl_module.env_steps != self._last:
            self._measure(trainer, pl_module)

    def _measure(self, trainer: Trainer, module: TD3) -> None:
        self._last = module.env_steps
        executable, meters, stream = module.actor.block.executable, module.meters, trainer.train_dataloader
        assert isinstance(stream, Stream)
        if executable is None or not trainer.is_global_zero or not len(stream.replay):
            return
        with meters.stopwatch.section("probe"), meters.ledger.timed("probe", module.actor.block), one_thread():
            metrics = self._metrics(module, executable, stream.replay)
        row: dict[str, float] = {"env_steps": module.env_steps, "updates": module.updates}
        row |= {f"probe/{name}": value for name, value in metrics.items() if math.isfinite(value)}
        for logger in trainer.loggers:
            logger.log_metrics(row)

    def _metrics(self, module: TD3, executable: Executable, replay: Replay) -> dict[str, float]:
        actor, estimator = module.actor, module.estimator
        rows = replay.draw(self._rows, self._generator("rows", module, "cpu"))
        observation = rows[OBSERVATION].to(module.device)
        generator = self._generator("draws", module, module.device)
        with torch.no_grad():
            q_in, _ = actor.encode(observation)
            measured = layer_metrics(executable, q_in) | action_metrics(actor, observation, generator)
            logits = estimator.logits(q_in)
            if logits is not None:
                measured |= surrogate_metrics(logits, actor.block.mean(q_in))
        if actor.block.returns_readout:
            differentiable = _differentiable(executable)
            measured |= gradient_metrics(
                actor, module.critic, estimator, observation, executable=differentiable, generator=generator
            )
        self._book(module, model=logits is not None)
        return {name: value.item() for name, value in measured.items()}

    def _generator(self, purpose: str, module: TD3, device: torch.device | str) -> torch.Generator:
        """Begin anew each time, so that nothing has to be kept over a resume."""
        seed = seed_for(self._seed, f"probe {purpose} at {module.env_steps}")
        return torch.Generator(device).manual_seed(seed)

    def _book(self, module: TD3, *, model: bool) -> None:
        block, rows = module.actor.block, self._rows
        exact = Cost(circuits=(2 + model) * rows)  # expectations, probabilities; means for the model
        costs = [exact, block.cost(rows)]
        if block.returns_readout:  # the exact gradient, and the estimator's
            costs += [Cost(circuits=rows), module.estimator.cost(block, rows, gradient=True)]
        for cost in costs:
            module.meters.ledger.add("probe", cost)


def _differentiable(executable: Executable) -> Executable:
    """Return the executable's twin on `statevector`, with the same clock.

    It is differentiable on every device, and nothing has to be compiled for the few gradients of a probe.
    """
    twin = make_engine("statevector").prepare(executable.circuit)
    twin.clock = executable.clock
    return twin
