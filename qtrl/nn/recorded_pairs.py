"""What quantum layers recorded in their buffers: the fit of their estimators to it, and its state for a checkpoint."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from qtrl.errors import ConfigError, ShapeError
from qtrl.nn.pair_buffer import PairBuffer
from qtrl.nn.quantum_layer import QuantumLayer
from qtrl.nn.quantum_layers import quantum_layers
from qtrl.nn.sizes import check_sizes
from qtrl.surrogate import FitResult


def fit_quantum_layers(
    model: nn.Module,
    optimizer: Optimizer,
    *,
    rows: int,
    generator: torch.Generator | None = None,
    backward: Callable[[Tensor], object] | None = None,
) -> dict[str, FitResult]:
    """Fit the estimator of each quantum layer to pairs of its buffer, the second of the paper's three phases.

    Which pairs, the estimator says: `stored` draws from the whole buffer, `recent` from the estimator's `window` of
    newest ones, `fresh` takes the newest themselves, which are those of the last forward pass, `mixed` as many
    again beside those drawn as `stored`. `fit_batches` and `fit_epochs` are the estimator's too; `fit_every_updates` is
    left to the caller. Layers that have nothing to learn are passed over.

    Args:
        model: May hold any number of layers.
        optimizer: Made over `estimator_parameters(model)`; as a group, `[{"params": ...}]`, where there may be none.
        rows: Pairs for each layer.
        generator: Source of what is drawn, on the pairs' device; torch's global one where it is left out.
        backward: Called with each loss in place of `loss.backward()`.

    Returns:
        The losses of each layer that was fitted, by its name in the model.

    Raises:
        ConfigError: A layer has no buffer or no pairs yet, the optimizer lacks its parameters, the estimator wants
            noise on fresh pairs, or a number is out of range.
    """
    check_sizes("fit_quantum_layers", rows=rows)
    layers = {name: layer for name, layer in quantum_layers(model).items() if layer.estimator.trainable}
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    results = {}
    for name, layer in layers.items():
        if not all(id(parameter) in held for parameter in layer.estimator.parameters()):
            raise ConfigError(
                f"fit_quantum_layers: the optimizer lacks parameters of the estimator of layer {name!r}; "
                "make it over estimator_parameters(model)"
            )
        q_in, q_out = _pairs(name, layer, rows, generator)
        result = layer.fit(q_in, q_out, optimizer=optimizer, generator=generator, backward=backward)
        if result is not None:
            results[name] = result
    return results


def pair_buffers_state(model: nn.Module) -> dict[str, dict[str, Tensor]]:
    """Return the pairs that a model recorded, by the names of its layers: plain tensors, apart from its state dict."""
    return {name: buffer.state_dict() for name, buffer in _buffers(model).items()}


def load_pair_buffers(model: nn.Module, state: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Put back what `pair_buffers_state` returned, so that fits go on as they would have.

    Raises:
        ShapeError: The state is that of another model.
    """
    buffers = _buffers(model)
    if set(state) != set(buffers):
        names = " and ".join(str(sorted(of)) for of in (state, buffers))
        raise ShapeError(f"load_pair_buffers: state and model have buffers of unlike layers, {names}")
    for name, buffer in buffers.items():
        buffer.load_state_dict(state[name])


def _buffers(model: nn.Module) -> dict[str, PairBuffer]:
    return {name: layer.buffer for name, layer in quantum_layers(model).items() if layer.buffer is not None}


def _pairs(name: str, layer: QuantumLayer, rows: int, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """Return the pairs (q_in, q_out) that a layer's estimator wants."""
    buffer, estimator = layer.buffer, layer.estimator
    if buffer is None:
        raise ConfigError(
            f"fit_quantum_layers: layer {name!r} has no buffer; make it with QuantumLayer.from_circuit, or with "
            "QuantumLayer(block, estimator, PairBuffer(capacity, n_in, n_out))"
        )
    if not len(buffer):
        raise ConfigError(
            f"fit_quantum_layers: layer {name!r} has recorded no pairs; run the model on data first, outside of "
            "`approximated`"
        )
    if estimator.fresh_noise:
        raise ConfigError(
            f"fit_quantum_layers: fresh_noise of layer {name!r} is {estimator.fresh_noise}, but blocks are not run "
            "again here; set it to 0, and run the model within `perturbed`"
        )
    if estimator.pairs == "fresh":
        return buffer.newest(estimator.fresh_rows or rows)
    drawn = buffer.sample(rows, generator, window=estimator.window or None)
    if estimator.pairs != "mixed":
        return drawn
    fresh = buffer.newest(estimator.fresh_rows or rows)
    return torch.cat([drawn[0], fresh[0]]), torch.cat([drawn[1], fresh[1]])
