"""The actor of plain TD3."""

import torch
from torch import Tensor

from qtrl.errors import ConfigError
from qtrl.nn.actor import HybridActor
from qtrl.nn.blocks import Block
from qtrl.nn.mlp import mlp
from qtrl.nn.sizes import check_sizes


class MLPActor(HybridActor):
    """One network with two hidden layers from observation to action, as in TD3, where no block takes part.

    It has the interface of the hybrid actor: `encode` gives zeros for the block and the observation as links. The
    block is run for the columns of the replay alone, so `zeros` is the one to choose. A circuit or a surrogate would
    be run and fitted for nothing, and is refused.

    Args:
        observation_size: O.
        action_size: A.
        block: Gives the lengths of q_in and q_out.
        hidden: Width of both hidden layers.
        links: Of the hybrid actor; has no effect.
        angle_scale: Of the hybrid actor; has no effect.

    Raises:
        ConfigError: A size is below 1, or the block runs a circuit or wants a surrogate.

    Source: Fujimoto et al., arXiv:1802.09477, with this package's activation.
    """

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        block: Block,
        *,
        hidden: int = 256,
        links: int = 0,
        angle_scale: float = 1.0,
    ) -> None:
        torch.nn.Module.__init__(self)
        check_sizes("MLPActor", observation_size=observation_size, action_size=action_size, hidden=hidden)
        if block.executable is not None or block.surrogate:
            what = "runs a circuit" if block.executable is not None else "wants a surrogate"
            raise ConfigError(
                f"MLPActor: block {type(block).__name__} {what}, but no block takes part in plain TD3; "
                "set block=zeros, or actor=hybrid"
            )
        self.block = block
        self.net = mlp([observation_size, hidden, hidden, action_size])

    def encode(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Return zeros (B, P) and the observation (B, O)."""
        return observation.new_zeros(*observation.shape[:-1], self.block.n_in), observation

    def decode(self, q_out: Tensor, links: Tensor) -> Tensor:
        """Return actions (B, A) in [-1, 1] for observations (B, O), whatever `q_out` is."""
        return torch.tanh(self.net(links))
