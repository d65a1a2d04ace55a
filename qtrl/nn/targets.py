"""Copies of a model: target networks that follow slowly, and the copy that acts on another device."""

from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn

from qtrl.nn.gradients import Direct
from qtrl.nn.norms.normalization import running_statistics
from qtrl.nn.quantum_layers import classical_parameters, quantum_layers

Net = TypeVar("Net", bound=nn.Module)


def target_copy(model: Net) -> Net:
    """Copy a model for use as its target; no parameter of the copy requires a gradient.

    Quantum layers of the copy use the estimators of the model's: these are fitted, and do not follow. Statistics of
    observations and rewards are shared as well.
    """
    shared = [*(layer.estimator for layer in quantum_layers(model).values()), *running_statistics(model)]
    copy = deepcopy(model, {id(module): module for module in shared})
    for layer in quantum_layers(copy).values():
        layer.borrow_estimator()
    return copy.requires_grad_(False)


def acting_copy(model: Net, device: torch.device | str) -> Net:
    """Copy a model to a device where it only acts, so that its quantum layers need no estimators."""
    layers = quantum_layers(model).values()
    return deepcopy(model, {id(layer.estimator): Direct() for layer in layers}).to(device)


@torch.no_grad()
def polyak_(target: nn.Module, source: nn.Module, tau: float) -> None:
    """Move every parameter of `target` in place by the fraction `tau` of its way to `source`; copy the buffers.

    Args:
        target: What `target_copy` made of `source`.
        source: Left as it is.
        tau: From 0, which keeps the target, to 1, which copies the source.

    Source: arXiv:1509.02971, algorithm 1.
    """
    old: list[Tensor] = list(classical_parameters(target))
    new: list[Tensor] = list(classical_parameters(source))
    if old:
        torch._foreach_lerp_(old, new, tau)
    _copy(_buffers(target), _buffers(source))


@torch.no_grad()
def copy_weights_(copy: nn.Module, source: nn.Module) -> None:
    """Bring a copy up to date with its source, on whatever devices they are; estimators are left alone."""
    _copy(list(classical_parameters(copy)), list(classical_parameters(source)))
    _copy(_buffers(copy), _buffers(source))


def _buffers(model: nn.Module) -> list[Tensor]:
    estimators = (layer.estimator for layer in quantum_layers(model).values())
    fitted = {id(buffer) for estimator in estimators for buffer in estimator.buffers()}
    return [buffer for buffer in model.buffers() if id(buffer) not in fitted]


def _copy(old: list[Tensor], new: list[Tensor]) -> None:
    for one, other in zip(old, new, strict=True):
        if one is not other:  # running statistics are shared
            one.copy_(other)
