"""The hybrid actor: a quantum layer between two classical networks.

Shapes: `B` batch, `O` observation, `A` action, `P` inputs of the block, `Q` its outputs, `L` links.
"""

import torch
from torch import Tensor, nn

from qtrl.errors import ConfigError
from qtrl.nn.blocks import Block
from qtrl.nn.gradients import MakeEstimator
from qtrl.nn.mlp import mlp
from qtrl.nn.norms.normalization import make_norm
from qtrl.nn.norms.scaling import ANGLE_BOUNDS, AngleScaling, OutputScaling, check_scale
from qtrl.nn.quantum_layer import QuantumLayer
from qtrl.nn.sizes import check_sizes


class HybridActor(nn.Module):
    """PreDNN, quantum layer and PostDNN, with classical links around the quantum layer.

    PreDNN turns the observation into the block's inputs, counted from its base point, and the links; PostDNN reads the
    block's outputs, then the links; tanh bounds the action.

    Args:
        observation_size: O.
        action_size: A.
        block: Maps (B, P) to (B, Q).
        gradient: Makes the estimator of the block's gradient, where `block.surrogate` asks for one.
        hidden: Width of the one hidden layer of PreDNN and of PostDNN.
        links: L, the values that bypass the block; may be 0.
        angle_scale: Factor on the block's inputs, in radians per unit of PreDNN's output where the block is a circuit.
        angle_bound: What bounds PreDNN's output, one of `ANGLE_BOUNDS`: with `tanh` no input is further than
            `angle_scale` from the base point, with `norm` their root mean square is not; None bounds nothing.
        bounded_links: Whether tanh bounds the links, so that they cannot drown what comes through the block.
        q_out_center: What is subtracted from the block's outputs before PostDNN reads them.
        q_out_scale: What they are multiplied with then.
        layer_norm: Whether the units of hidden layers are normalized.
        normalize: `running` for observations normalized by a `RunningNorm`, None for observations as they are.

    Raises:
        ConfigError: A size is below 1, `links` below 0, a scale not above 0, or `normalize` unknown.
        QtrlError: The estimator cannot stand in for the block.

    Source: arXiv:2503.09119, figure 2 and table 1.
    """

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        block: Block,
        gradient: MakeEstimator | None = None,
        *,
        hidden: int = 256,
        links: int = 10,
        angle_scale: float = 1.0,
        angle_bound: str | None = None,
        bounded_links: bool = False,
        q_out_center: float = 0.0,
        q_out_scale: float = 1.0,
        layer_norm: bool = False,
        normalize: str | None = None,
    ) -> None:
        super().__init__()
        check_sizes("HybridActor", observation_size=observation_size, action_size=action_size, hidden=hidden)
        if not isinstance(links, int) or links < 0:
            raise ConfigError(f"HybridActor: links is {links}, expected a whole number of at least 0")
        for name, scale in (("angle_scale", angle_scale), ("q_out_scale", q_out_scale)):
            check_scale("HybridActor", name, scale)
        if angle_bound not in ANGLE_BOUNDS:
            raise ConfigError(f"HybridActor: angle_bound is {angle_bound!r}, expected tanh, norm or null")
        self.n_in, self.bounded_links = block.n_in, bounded_links
        self.norm = make_norm(normalize, observation_size)
        self.angles = AngleScaling(block.base, angle_scale, angle_bound)
        self.heard = OutputScaling(q_out_center, q_out_scale)
        self.pre = mlp([observation_size, hidden, block.n_in + links], layer_norm=layer_norm)
        self.post = mlp([block.n_out + links, hidden, action_size], layer_norm=layer_norm)
        estimator = gradient(block.n_in, block.n_out) if gradient is not None and block.surrogate else None
        self.layer = QuantumLayer(block, estimator)

    def encode(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Return q_in (B, P) and links (B, L) for observations (B, O)."""
        encoded = self.pre(self.norm(observation))  # (B, P + L)
        angles, links = encoded[..., : self.n_in], encoded[..., self.n_in :]
        links = torch.tanh(links) if self.bounded_links else links
        return self.angles(angles), links

    def decode(self, q_out: Tensor, links: Tensor) -> Tensor:
        """Return actions (B, A) in [-1, 1] for q_out (B, Q) and links (B, L)."""
        return torch.tanh(self._read(q_out, links))

    def _read(self, q_out: Tensor, links: Tensor) -> Tensor:
        return self.post(torch.cat([self.heard(q_out), links], dim=-1))

    def unbounded(self, observation: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return what tanh makes the actions of, (B, A); arguments as of `forward`."""
        q_in, links = self.encode(observation)
        return self._read(self.layer(q_in, generator), links)

    def forward(self, observation: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return actions (B, A) in [-1, 1] for observations (B, O); `generator` feeds the layer's random draws."""
        return torch.tanh(self.unbounded(observation, generator))
