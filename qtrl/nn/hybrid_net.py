"""The hybrid network: any number of quantum layers in series, between classical layers and with links around each.

Shapes: `B` batch, `I` inputs, `O` outputs, `P` inputs of a block, `Q` its outputs, `L` links.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from qtrl.errors import ConfigError
from qtrl.nn.blocks import Block
from qtrl.nn.gradients import MakeEstimator
from qtrl.nn.mlp import mlp
from qtrl.nn.norms.scaling import AngleScaling, OutputScaling
from qtrl.nn.pair_buffer import PairBuffer
from qtrl.nn.quantum_layer import QuantumLayer
from qtrl.nn.sizes import check_sizes


class HybridNet(nn.Module):
    """PreDNN, quantum layer, then a linear layer and a quantum layer for each further one, and PostDNN.

    Each quantum layer has a block, an estimator and pairs of its own. What comes before it gives the block's inputs,
    counted from its base point, and links, which go around it to what comes after.

    Args:
        n_in: I.
        n_out: O, unbounded: logits or numbers.
        block: Maps (B, P) to (B, Q); each further layer gets a copy.
        gradient: Makes the estimator of a block's gradient, where `block.surrogate` asks for one.
        hidden: Width of the one hidden layer of PreDNN and of PostDNN.
        layers: Quantum layers.
        links: L, the values that bypass each of them; may be 0.
        angle_scale: Factor on the blocks' inputs, in radians per unit where blocks are circuits.
        angle_bound: What bounds these units, as in `HybridActor`.
        bounded_links: Whether tanh bounds the links.
        q_out_center: What is subtracted from a block's outputs before the next layer reads them.
        q_out_scale: What they are multiplied with then.
        layer_norm: Whether the units of hidden layers are normalized.
        pairs: Newest pairs that each quantum layer keeps, where its estimator learns from any.

    Raises:
        ConfigError: A size is below 1, `links` below 0, a scale not above 0, or `angle_bound` unknown.
        QtrlError: The estimator cannot stand in for the block.

    Source: arXiv:2503.09119, section 2.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        block: Block,
        gradient: MakeEstimator | None = None,
        *,
        hidden: int = 64,
        layers: int = 1,
        links: int = 10,
        angle_scale: float = 1.0,
        angle_bound: str | None = None,
        bounded_links: bool = False,
        q_out_center: float = 0.0,
        q_out_scale: float = 1.0,
        layer_norm: bool = False,
        pairs: int = 5_000,
    ) -> None:
        super().__init__()
        check_sizes("HybridNet", n_in=n_in, n_out=n_out, hidden=hidden, layers=layers, pairs=pairs)
        if not isinstance(links, int) or links < 0:
            raise ConfigError(f"HybridNet: links is {links}, expected a whole number of at least 0")
        angles: dict[str, Any] = {"angle_scale": angle_scale, "angle_bound": angle_bound, "pairs": pairs}
        heard: dict[str, Any] = {
            "bounded_links": bounded_links,
            "q_out_center": q_out_center,
            "q_out_scale": q_out_scale,
        }
        blocks = [block, *(copy.deepcopy(block) for _ in range(layers - 1))]
        encoders = [mlp([n_in, hidden, block.n_in + links], layer_norm=layer_norm)]
        encoders += [mlp([block.n_out + links, block.n_in + links]) for _ in blocks[1:]]
        self.stages = nn.ModuleList(
            HybridStage(encoder, own, gradient, **angles, **heard)
            for encoder, own in zip(encoders, blocks, strict=True)
        )
        self.post = mlp([block.n_out + links, hidden, n_out], layer_norm=layer_norm)

    def forward(self, inputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return outputs (B, O) for inputs (B, I); `generator` feeds the random draws of all layers."""
        values = inputs
        for stage in self.stages:
            values = stage(values, generator)
        return self.post(values)


class HybridStage(nn.Module):
    """A classical encoder, the quantum layer that it chooses the inputs of, and the links around that.

    Args:
        encoder: Maps (B, I) to (B, P + L).
        block: Of the quantum layer.
        gradient: Makes its estimator.
        angle_scale: As of `HybridNet`, and so the others.
        angle_bound: One of `ANGLE_BOUNDS`.
        bounded_links: Whether tanh bounds the links.
        q_out_center: Subtracted from the block's outputs.
        q_out_scale: What they are multiplied with then.
        pairs: As of `HybridNet`.
    """

    def __init__(
        self,
        encoder: nn.Module,
        block: Block,
        gradient: MakeEstimator | None,
        *,
        angle_scale: float,
        angle_bound: str | None,
        bounded_links: bool,
        q_out_center: float,
        q_out_scale: float,
        pairs: int,
    ) -> None:
        super().__init__()
        self._bounded_links = bounded_links
        self.angles = AngleScaling(block.base, angle_scale, angle_bound)
        self.heard = OutputScaling(q_out_center, q_out_scale)
        self.encoder = encoder
        estimator = gradient(block.n_in, block.n_out) if gradient is not None and block.surrogate else None
        learns = estimator is not None and estimator.trainable
        buffer = PairBuffer(pairs, block.n_in, block.n_out) if learns else None
        self.layer = QuantumLayer(block, estimator, buffer)

    def forward(self, values: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return what the next layer reads, (B, Q + L), for values (B, I)."""
        angles, links = self.encoder(values).tensor_split([self.layer.block.n_in], dim=-1)
        q_out = self.layer(self.angles(angles), generator)
        links = torch.tanh(links) if self._bounded_links else links
        return torch.cat([self.heard(q_out), links], dim=-1)
