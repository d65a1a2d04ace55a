"""Fit a surrogate to recorded pairs of a block's inputs and outputs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from qtrl.errors import ConfigError, ShapeError


@dataclass(frozen=True)
class FitResult:
    """Losses of one call of `fit`, as detached scalars on the pairs' device; reading them waits for the device.

    They are mean binary cross-entropies, in nats, at the first and at the last of the optimizer's `steps`, each before
    that step moved the parameters; equal where there was one step only.
    """

    loss_before: Tensor
    loss_after: Tensor
    steps: int


def fit(
    net: nn.Module,
    optimizer: Optimizer,
    q_in: Tensor,
    q_out: Tensor,
    *,
    batches: int = 1,
    epochs: int = 1,
    generator: torch.Generator | None = None,
    backward: Callable[[Tensor], object] | None = None,
) -> FitResult:
    """Take `batches * epochs` optimizer steps on binary cross-entropy between the logits of `net` and `q_out`.

    In each epoch the pairs are shuffled and cut into `batches` parts, equal to within one pair, one step each. A
    single part is neither shuffled nor copied.

    Args:
        net: Returns logits (B, n_out) for inputs (B, n_in).
        optimizer: Holds the parameters of `net` and nothing else, since it is stepped here.
        q_in: Inputs of the block, shape (B, n_in). No gradient reaches whatever made them.
        q_out: Outputs of the block, shape (B, n_out): bits, or probabilities in [0, 1], which is not checked.
        batches: Parts of each epoch, from 1 to B.
        epochs: Passes over the pairs.
        generator: Source of the shuffles, on the pairs' device; torch's global one where it is left out.
        backward: Called with each loss in place of `loss.backward()`, so that a trainer can scale, average or check it.

    Raises:
        ShapeError: The pairs are not two matrices of equal length, or do not fit `net`.
        ConfigError: `batches` or `epochs` is out of range.

    Source: arXiv:2503.09119, the local approximation of a quantum layer by a qtDNN.
    """
    _check(q_in, q_out, batches, epochs)
    backward = backward or torch.Tensor.backward
    losses = []
    for inputs, targets in _parts(q_in.detach(), q_out.detach(), batches, epochs, generator):
        logits = net(inputs)
        if logits.shape != targets.shape:
            raise ShapeError(f"fit: the net returns {tuple(logits.shape)} for q_out of shape {tuple(targets.shape)}")
        loss = F.binary_cross_entropy_with_logits(logits, targets)
        optimizer.zero_grad(set_to_none=True)
        backward(loss)
        optimizer.step()
        losses.append(loss.detach())
    return FitResult(loss_before=losses[0], loss_after=losses[-1], steps=len(losses))


def _parts(
    q_in: Tensor, q_out: Tensor, batches: int, epochs: int, generator: torch.Generator | None
) -> Iterator[tuple[Tensor, Tensor]]:
    for _ in range(epochs):
        if batches == 1:
            yield q_in, q_out
            continue
        order = torch.randperm(len(q_in), generator=generator, device=q_in.device)
        for rows in order.tensor_split(batches):
            yield q_in[rows], q_out[rows]


def _check(q_in: Tensor, q_out: Tensor, batches: int, epochs: int) -> None:
    if q_in.ndim != 2 or q_out.ndim != 2 or len(q_in) != len(q_out):
        shapes = f"q_in {tuple(q_in.shape)} and q_out {tuple(q_out.shape)}"
        raise ShapeError(f"fit: {shapes} are no pairs, expected (B, n_in) and (B, n_out) with equal B")
    if not 1 <= batches <= len(q_in):
        raise ConfigError(f"fit: batches is {batches}, expected 1 to {len(q_in)}, the number of pairs")
    if epochs < 1:
        raise ConfigError(f"fit: epochs is {epochs}, expected at least 1")
