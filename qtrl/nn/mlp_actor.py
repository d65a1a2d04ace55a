"""The actor of plain TD3."""

import torch
from torch import Tensor, nn

from qtrl.errors import ConfigError
from qtrl.nn.blocks import Block
from qtrl.nn.gradients import MakeEstimator
from qtrl.nn.mlp import mlp
from qtrl.nn.norms.normalization import make_norm
from qtrl.nn.sizes import check_sizes


class MLPActor(nn.Module):
    """One network with two hidden layers from observation to action, as in TD3, without a quantum layer.

    It is made with the arguments of the hybrid actor and keeps nothing of the block, so `zeros` is the one to choose.
    A circuit or a surrogate would be run and fitted for nothing, and is refused.

    Args:
        observation_size: O.
        action_size: A.
        block: Has no effect.
        gradient: Has no effect.
        hidden: Width of both hidden layers.
        layer_norm: As of the hybrid actor.
        normalize: As of the hybrid actor.

    Raises:
        ConfigError: A size is below 1, `normalize` is unknown, or the block runs a circuit or wants a surrogate.

    Source: Fujimoto et al., arXiv:1802.09477, with this package's activation.
    """

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        block: Block,
        gradient: MakeEstimator | None = None,
        *,
        hidden: int = 256,
        layer_norm: bool = False,
        normalize: str | None = None,
    ) -> None:
        super().__init__()
        check_sizes("MLPActor", observation_size=observation_size, action_size=action_size, hidden=hidden)
        if block.executable is not None or block.surrogate:
            what = "runs a circuit" if block.executable is not None else "wants a surrogate"
            raise ConfigError(
                f"MLPActor: block {type(block).__name__} {what}, but no block takes part in plain TD3; "
                "set block=zeros, or actor=hybrid"
            )
        self.norm = make_norm(normalize, observation_size)
        self.net = mlp([observation_size, hidden, hidden, action_size], layer_norm=layer_norm)

    def unbounded(self, observation: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return what tanh makes the actions of, (B, A); arguments as of `forward`."""
        return self.net(self.norm(observation))

    def forward(self, observation: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return actions (B, A) in [-1, 1] for observations (B, O); nothing is drawn from the generator."""
        return torch.tanh(self.unbounded(observation, generator))
