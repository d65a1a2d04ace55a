"""A hybrid deep quantum neural network trained on examples, by the three phases of the paper.

Source: arXiv:2503.09119, section 2.
"""

from contextlib import nullcontext
from itertools import accumulate
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from qtrl.algos.algorithm import Algorithm
from qtrl.algos.decay import Decay
from qtrl.algos.mechanics import MakeOptimizer, UpdateMechanics
from qtrl.errors import ConfigError
from qtrl.keys import EXAMPLE_PURPOSES, EXAMPLE_SECTIONS
from qtrl.meters import RunMeters
from qtrl.nn import (
    Standardize,
    approximated,
    classical_parameters,
    estimator_parameters,
    fit_quantum_layers,
    load_pair_buffers,
    pair_buffers_state,
    perturbed,
    quantum_layers,
)
from qtrl.specs import ExampleBatch


class HDQNN(Algorithm):
    """One update: run the circuits on the minibatch, fit the qtDNNs to what they gave, move all else through these.

    Args:
        model: Maps standardized inputs (B, D) and a generator to logits (B, C), or to standardized numbers (B, 1). It
            may hold any number of quantum layers, which record their pairs.
        inputs: Standardizes rows of the table.
        targets: Standardizes targets of a regression; None for classification.
        model_optimizer: Makes the optimizer of all but the estimators, trainable blocks included.
        surrogate_optimizer: Makes the optimizer of the estimators, where they have parameters.
        max_gradient_norm: The gradients of the model and of each estimator are scaled down to it; None leaves them.
        angle_noise: Standard deviation of the noise on blocks' inputs in forward exploration, in radians where blocks
            are circuits: recorded pairs then tell how outputs answer around the inputs that the model chose.
        dropout: Share of the inputs that are left out of each training row, drawn anew for each update.
        lr_decay: How the learning rate of the model falls over the run, one of `qtrl.algos.decay.SHAPES`; None leaves
            it. The qtDNN has to follow its circuit to the end, and keeps its rate.
        lr_final: The fraction of it that is left at the end.
        meters: Where time and circuits are booked.
        seed: The run's seed.
        rank: The process's rank; random draws differ between ranks.

    Raises:
        ConfigError: A setting is out of range, or an optimizer cannot be made.
    """

    def __init__(
        self,
        model: nn.Module,
        inputs: Standardize,
        targets: Standardize | None = None,
        *,
        model_optimizer: MakeOptimizer,
        surrogate_optimizer: MakeOptimizer,
        max_gradient_norm: float | None = None,
        angle_noise: float = 0.0,
        dropout: float = 0.0,
        lr_decay: str | None = None,
        lr_final: float = 0.1,
        meters: RunMeters | None = None,
        seed: int = 0,
        rank: int = 0,
    ) -> None:
        super().__init__()
        self.model, self.inputs, self.targets = model, inputs, targets
        decay = Decay(lr_decay, lr_final, ("model",)) if lr_decay else None
        optimizers = {"model": model_optimizer, "surrogate": surrogate_optimizer}
        how: dict[str, Any] = {"max_gradient_norm": max_gradient_norm, "decay": decay, "meters": meters}
        self.mechanics = UpdateMechanics(self, optimizers, **how, seed=seed, rank=rank)
        self.meters.purposes, self.meters.sections = EXAMPLE_PURPOSES, EXAMPLE_SECTIONS
        self._layers = quantum_layers(model)
        if not angle_noise >= 0:
            raise ConfigError(f"algo.angle_noise={angle_noise} is not allowed: expected a number of at least 0")
        if not 0 <= dropout < 1:
            raise ConfigError(f"algo.dropout={dropout} is not allowed: expected a number of at least 0 and below 1")
        if noisy := [layer.estimator.fresh_noise for layer in self._layers.values() if layer.estimator.fresh_noise]:
            raise ConfigError(f"gradient.fresh_noise={noisy[0]} has no effect here: set it to 0, and algo.angle_noise")
        self._angle_noise, self._dropout = angle_noise, dropout
        self._fitted = estimator_parameters(model)
        learning = [layer for layer in self._layers.values() if layer.estimator.trainable]
        self._fit_every = min((layer.fit_every_updates for layer in learning), default=0)

    def configure_optimizers(self) -> list[Optimizer]:
        """Make the optimizers of the model and, where there is something to fit, of the estimators."""
        fitted = self._fitted
        return self.mechanics.make_optimizers(
            {"model": classical_parameters(self.model)} | ({"surrogate": fitted} if fitted else {})
        )

    def forward(self, rows: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return logits (B, C), or standardized numbers (B, 1), for rows (B, D) of the table."""
        return self.model(self.inputs(rows), generator)

    def training_step(self, batch: ExampleBatch, batch_idx: int) -> None:
        """Make one update from one minibatch."""
        self.mechanics.begin(batch.env_steps, batch.progress)
        stopwatch, rows = self.meters.stopwatch, self._dropped_out(self.inputs(batch.inputs))
        if self._fit_every and self.updates % self._fit_every == 0:
            with stopwatch.section("explore"):
                self._explore(rows)
            with stopwatch.section("surrogate"):
                self._fit_surrogates(len(rows))
        with stopwatch.section("model"):
            self._update_model(rows, batch.targets)

    def _dropped_out(self, rows: Tensor) -> Tensor:
        """Leave out a random share of the inputs; circuits and qtDNNs see the same ones in one update."""
        if not self._dropout:
            return rows
        source = self.mechanics.generators.get("dropout", rows.device)
        kept = torch.rand(rows.shape, generator=source, device=rows.device) >= self._dropout
        return rows * kept / (1 - self._dropout)

    @torch.no_grad()
    def _explore(self, rows: Tensor) -> None:
        """Run the real blocks on standardized rows, layer behind layer; each records its pairs."""
        generators, layers = self.mechanics.generators, self._layers
        noise = perturbed(layers.values(), self._angle_noise, generators.get("angle_noise", rows.device))
        with self.meters.ledger.timed("explore", layers), noise if self._angle_noise else nullcontext():
            self.model(rows, generators.get("explore", rows.device))
        self.meters.ledger.add("explore", self._layers.block_cost(len(rows)))

    def _fit_surrogates(self, rows: int) -> None:
        """Fit the qtDNN of each layer to recorded pairs."""
        mechanics, norms = self.mechanics, []

        def backward(loss: Tensor) -> None:
            norms.append(mechanics.backward("surrogate BCE", loss, self._fitted))

        generator = mechanics.generators.get("surrogate", self.device)
        optimizer = mechanics.optimizer("surrogate")
        results = fit_quantum_layers(self.model, optimizer, rows=rows, generator=generator, backward=backward)
        for name in ("before", "after") if results else ():
            losses = [getattr(result, f"loss_{name}") for result in results.values()]
            self.metrics[f"surrogate/bce_{name}"] = torch.stack(losses)
        ends = accumulate(result.steps for result in results.values())
        if last := [norm for norm in (norms[end - 1] for end in ends) if norm is not None]:
            self.metrics["gradient/surrogate"] = torch.stack(last)

    def _update_model(self, rows: Tensor, targets: Tensor) -> None:
        """Lower the loss with estimators in the place of blocks; the qtDNNs stay put."""
        cost = self._layers.cost(len(rows), gradient=True)
        self.meters.ledger.add("model", cost)
        self.meters.ledger.parameter_shift_circuits += len(rows) * self._layers.shift_circuits(gradient=True)
        generator = self.mechanics.generators.get("model", rows.device)
        with approximated(self.model), self.meters.ledger.timed("model", self._layers):
            loss = self.loss(self.model(rows, generator), targets)
            self.mechanics.step("model", loss)
        self._layers.forget()
        self.metrics["train/loss"] = loss.detach()

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy of logits in nats, or the mean squared error of standardized numbers."""
        if self.targets is None:
            return F.cross_entropy(outputs, targets)
        return F.mse_loss(outputs.squeeze(-1), self.targets(targets))

    def transfer_batch_to_device(self, batch: ExampleBatch, device: torch.device, dataloader_idx: int) -> ExampleBatch:
        """Move the rows, without Lightning's walk through every leaf."""
        if device.type == "cpu":
            return batch
        inputs, targets = (values.to(device, non_blocking=True) for values in (batch.inputs, batch.targets))
        return ExampleBatch(inputs, targets, batch.env_steps, batch.progress)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add everything that the next update depends on, recorded pairs included."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["pairs"] = pair_buffers_state(self.model)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore what `on_save_checkpoint` added."""
        super().on_load_checkpoint(checkpoint)
        load_pair_buffers(self.model, checkpoint["pairs"])
