"""Classical critics. Shapes: `B` batch, `O` observation, `A` action, `H` hidden units, `C` critics side by side."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qtrl.nn.mlp import LEAKY_SLOPE, mlp
from qtrl.nn.norms.normalization import make_norm
from qtrl.nn.sizes import check_sizes


class Critic(nn.Module):
    """Estimate the discounted return of an action; the action joins after the first layer.

    Args:
        observation_size: O.
        action_size: A.
        hidden: H, the width of both hidden layers.

    Raises:
        ConfigError: A size is below 1.

    Source: arXiv:2503.09119, table 1.
    """

    def __init__(self, observation_size: int, action_size: int, hidden: int = 256) -> None:
        super().__init__()
        check_sizes("Critic", observation_size=observation_size, action_size=action_size, hidden=hidden)
        self.features = mlp([observation_size, hidden], activate_last=True)
        self.head = mlp([hidden + action_size, hidden, 1])

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        """Return values (B,) for observations (B, O) and actions (B, A)."""
        features = self.features(observation)
        return self.head(torch.cat([features, action], dim=-1)).squeeze(-1)


class StackedLinear(nn.Module):
    """Linear layers of equal sizes side by side, as one batched product; weights lie as that product reads them.

    Args:
        weights: C weights as `nn.Linear` has them, each (out, in).
        biases: C biases, each (out,).
    """

    def __init__(self, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> None:
        super().__init__()
        self.weight = _stack([weight.T for weight in weights])  # (C, in, out)
        self.bias = _stack([bias[None] for bias in biases])  # (C, 1, out)

    def forward(self, inputs: Tensor, count: int) -> Tensor:
        """Return the outputs (count, B, out) of the first `count` layers for inputs (B, in) of them all."""
        return torch.baddbmm(self.bias[:count], inputs.expand(count, -1, -1), self.weight[:count])


def _stack(tensors: Sequence[Tensor]) -> nn.Parameter:
    return nn.Parameter(torch.stack([tensor.detach() for tensor in tensors]))


class TwinCritic(nn.Module):
    """Two critics of equal sizes and independent weights, computed side by side.

    Where the action joins, the layer is split into the part that reads features and the part that reads the action:
    the same sum, without copying the two together, and the actor's step needs a gradient of the second part only.

    Takes the arguments of `Critic`, and begins with the weights that two of them would have. `normalize` is that of the
    hybrid actor. With `layer_norm` the units of both hidden layers are normalized before their LeakyReLU, without
    weights of their own: values then change smoothly with the action.

    Source: arXiv:1802.09477, clipped double Q-learning; arXiv:1607.06450, layer normalization.
    """

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        hidden: int = 256,
        *,
        normalize: str | None = None,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        self._layer_norm = layer_norm
        self.norm = make_norm(normalize, observation_size)
        twins = [Critic(observation_size, action_size, hidden) for _ in range(2)]

        def both(name: str) -> list[Tensor]:
            return [twin.get_parameter(name) for twin in twins]

        joint = both("head.0.weight")  # C times (H, H + A)
        self.features = StackedLinear(both("features.0.weight"), both("features.0.bias"))
        self.action = StackedLinear([weight[:, hidden:] for weight in joint], both("head.0.bias"))
        self.joint_weight = _stack([weight[:, :hidden].T for weight in joint])  # (C, H, H)
        self.value_weight = _stack(both("head.2.weight"))  # (C, 1, H)
        self.value_bias = _stack(both("head.2.bias"))  # (C, 1)

    def forward(self, observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Return both critics' values, each (B,), for observations (B, O) and actions (B, A)."""
        q1, q2 = self._values(observation, action, 2)
        return q1, q2

    def first(self, observation: Tensor, action: Tensor) -> Tensor:
        """Return the first critic's values (B,) alone, which the actor maximises."""
        return self._values(observation, action, 1)[0]

    def _values(self, observation: Tensor, action: Tensor, count: int) -> Tensor:
        """Return the values (count, B) of the first `count` critics."""
        features = self._activate(self.features(self.norm(observation), count))
        hidden = self._activate(torch.baddbmm(self.action(action, count), features, self.joint_weight[:count]))
        return torch.linalg.vecdot(hidden, self.value_weight[:count]) + self.value_bias[:count]

    def _activate(self, units: Tensor) -> Tensor:
        units = F.layer_norm(units, units.shape[-1:]) if self._layer_norm else units
        return F.leaky_relu_(units, LEAKY_SLOPE)
