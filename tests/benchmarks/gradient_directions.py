"""The actor's gradient, taken apart into what comes through the circuit and what goes round it."""

from collections.abc import Callable

import torch
from torch import Tensor

from qtrl.algos import TD3
from qtrl.algos.td3_loss import actor_loss
from qtrl.nn import GradientEstimator
from qtrl.nn.fidelity import agreement
from qtrl.quantum.gradients import exact_expectations

Parts = dict[str, tuple[Tensor, ...]]


def directions(module: TD3, estimator: GradientEstimator, observation: Tensor) -> dict[str, float]:
    """Compare the gradient of the actor's loss for observations (B, O) with the exact one.

    Returns:
        Cosines with the exact gradient in the `angles`, in PreDNN's weights through the `circuit` alone, and in
        PreDNN's weights as a `whole`, links included; and the `norm` through the circuit in units of the exact one.
        Not finite where a gradient is 0.
    """
    actor, generator = module.actor, torch.Generator().manual_seed(0)
    block = actor.layer.block
    executable, error = block.executable, block.readout_error
    exact = _gradients(module, observation, lambda q_in: exact_expectations(executable, q_in, error))
    found = _gradients(module, observation, lambda q_in: estimator(block, q_in, generator))
    compared = {name: agreement(found[name], exact[name]) for name in exact}
    return {name: cosine.item() for name, (cosine, _) in compared.items()} | {"norm": compared["circuit"][1].item()}


def _gradients(module: TD3, observation: Tensor, answer: Callable[[Tensor], Tensor]) -> Parts:
    actor = module.actor
    q_in, links = actor.encode(observation)
    loss = actor_loss(module.critic.first(observation, actor.decode(answer(q_in), links)))
    through = torch.autograd.grad(loss, [q_in, links], retain_graph=True, allow_unused=True, materialize_grads=True)
    weights = list(actor.pre.parameters())
    circuit, around = (
        torch.autograd.grad(outputs, weights, arrived, retain_graph=True)
        for outputs, arrived in zip((q_in, links), through, strict=True)
    )
    whole = tuple(a + b for a, b in zip(circuit, around, strict=True))
    return {"angles": through[:1], "circuit": circuit, "whole": whole}
