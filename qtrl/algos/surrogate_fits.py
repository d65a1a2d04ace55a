"""Step 1 of an update: the qtDNNs of an actor are fitted to what its blocks received and returned."""

from collections.abc import Sequence
from contextlib import ExitStack

import torch
from torch import Tensor, nn

from qtrl.algos.mechanics import UpdateMechanics
from qtrl.errors import ConfigError
from qtrl.keys import OBSERVATION, pair_keys
from qtrl.nn import GradientEstimator, QuantumLayer, perturbed, quantum_layers
from qtrl.specs import Batch


class SurrogateFits:
    """The fits of all quantum layers of an actor.

    Args:
        actor: May hold any number of them.
        mechanics: Of the algorithm; one of its optimizers is `surrogate`.
    """

    def __init__(self, actor: nn.Module, mechanics: UpdateMechanics) -> None:
        self._actor, self._mechanics = actor, mechanics
        self._layers = quantum_layers(actor)
        self._pair_keys = pair_keys(self._layers)

    def due(self) -> tuple[bool, ...]:
        """Tell of each layer whether this update fits it."""
        return tuple(self._is_fitted_now(layer) for layer in self._layers.values())

    def fit(self, batch: Batch) -> None:
        """Fit the qtDNN of each layer that is due to the pairs that it wants."""
        due = {name: layer for name, layer in self._layers.items() if self._is_fitted_now(layer)}
        measured: dict[str, list[Tensor]] = {}
        if fresh := [layer for layer in due.values() if layer.estimator.pairs in ("fresh", "mixed")]:
            self._run_blocks(batch.transitions[OBSERVATION], fresh[0].estimator)
        for name, layer in due.items():
            q_in, q_out = self._pairs(name, layer, batch)
            for metric, value in self._fit(layer, q_in, q_out).items():
                measured.setdefault(metric, []).append(value)
        self._mechanics.metrics.update({metric: torch.stack(values) for metric, values in measured.items()})

    def _is_fitted_now(self, layer: QuantumLayer) -> bool:
        return layer.estimator.trainable and self._mechanics.updates % layer.fit_every_updates == 0

    def _pairs(self, name: str, layer: QuantumLayer, batch: Batch) -> Sequence[Tensor]:
        """Return q_in and q_out of the pairs that a layer wants."""
        pairs = layer.estimator.pairs
        rows = batch.recent if pairs == "recent" else batch.transitions
        if rows is None:
            raise ConfigError("gradient.pairs=recent: the minibatches bring no newest rows; see Stream's recent_rows")
        recorded = tuple(rows[key] for key in self._pair_keys[name])
        if layer.pair is None or pairs not in ("fresh", "mixed"):
            return recorded
        fresh = layer.pair
        return fresh if pairs == "fresh" else [torch.cat(parts) for parts in zip(recorded, fresh, strict=True)]

    def _fit(self, layer: QuantumLayer, q_in: Tensor, q_out: Tensor) -> dict[str, Tensor]:
        mechanics, parameters, norms = self._mechanics, list(layer.estimator.parameters()), []
        result = layer.fit(
            q_in,
            q_out,
            optimizer=mechanics.optimizer("surrogate"),
            generator=mechanics.generators.get("surrogate", q_in.device),
            backward=lambda loss: norms.append(mechanics.backward("surrogate BCE", loss, parameters)),
        )
        if result is None:
            return {}
        measured = {"surrogate/bce_before": result.loss_before, "surrogate/bce_after": result.loss_after}
        return measured | ({} if norms[-1] is None else {"gradient/surrogate": norms[-1]})

    def _run_blocks(self, observation: Tensor, wanted: GradientEstimator) -> None:
        """Record fresh pairs: run the blocks on what they receive from the current actor, with noise."""
        observation, mechanics = observation[: wanted.fresh_rows], self._mechanics
        generators, ledger = mechanics.generators, mechanics.meters.ledger
        with ExitStack() as stack:
            if wanted.fresh_noise:
                source = generators.get("fit_noise", observation.device)
                stack.enter_context(perturbed(self._layers.values(), wanted.fresh_noise, source))
            stack.enter_context(ledger.timed("fit", self._layers))
            stack.enter_context(torch.no_grad())
            self._actor(observation, generators.get("fit", observation.device))
        ledger.add("fit", self._layers.block_cost(len(observation)))
