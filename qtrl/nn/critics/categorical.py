"""Twin critics that predict a distribution of the return. Shapes: `B` rows, `C` critics, `H` units, `K` bins."""

from functools import partial

import torch
from torch import Tensor, nn

from qtrl.errors import ConfigError
from qtrl.nn.critics.distribution import cross_entropy, mean, projected, smaller_of
from qtrl.nn.critics.td_learning import TDLoss, TDRows
from qtrl.nn.norms.batch_norm import BatchNorm, Statistics
from qtrl.nn.norms.normalization import RewardScale, make_norm
from qtrl.nn.sizes import check_sizes

TWINS = 2


class CategoricalCritic(nn.Module):
    """Two critics side by side, each a distribution over bins, with batch normalization and rows of norm 1.

    Each is BatchNorm of (s, a), then twice Linear, BatchNorm and ReLU, then Linear to the logits of the bins. Only the
    last layer has a bias, since what follows the others subtracts it; for the same reason the first BatchNorm has no
    offset. Its scale is multiplied into the first layer's weight.

    `td_loss` runs critic and target on the rows of both states together, normalized by the statistics of all of them,
    which the running averages of the critic follow. Everything else, the actor's loss among it, goes by these averages
    and leaves them alone. A target never uses its own; they are copies of the critic's.

    Values are in the units of rewards, however these are scaled inside.

    Args:
        observation_size: O.
        action_size: A.
        hidden: H, the width of both hidden layers.
        bins: K.
        bound: The bins lie from -bound to bound, in units of scaled rewards.
        momentum: Weight of the newest batch in the running averages.
        epsilon: Added to the variances of a batch.
        reward_scale: Whether rewards are divided by a `RewardScale`; otherwise they are taken as they are.
        normalize: As of `TwinCritic`; BatchNorm makes up for most of it.

    Raises:
        ConfigError: A size or number is out of range.

    Source: XQC, arXiv:2509.25174; FlashSAC, arXiv:2604.04539; the joint batch is CrossQ's, arXiv:1902.05605.
    """

    support: Tensor

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        hidden: int = 256,
        *,
        bins: int = 101,
        bound: float = 5.0,
        momentum: float = 0.01,
        epsilon: float = 1e-5,
        reward_scale: bool = True,
        normalize: str | None = None,
    ) -> None:
        super().__init__()
        sizes = {"observation_size": observation_size, "action_size": action_size, "hidden": hidden}
        check_sizes("CategoricalCritic", **sizes)
        expected = {"bins": bins >= 2, "bound": 0 < bound < float("inf"), "momentum": 0 <= momentum <= 1}
        for name, holds in (expected | {"epsilon": epsilon > 0}).items():
            if not holds:
                raise ConfigError(f"CategoricalCritic: {name} is out of range; see docs/algorithm.md")
        self.norm = make_norm(normalize, observation_size)
        self.reward_scale = RewardScale(bound) if reward_scale else None
        self.register_buffer("support", torch.linspace(-bound, bound, bins), persistent=False)
        inputs, make_batch_norm = observation_size + action_size, partial(BatchNorm, momentum=momentum, epsilon=epsilon)
        self.input_norm = make_batch_norm(inputs, affine=False)
        self.input_scale = nn.Parameter(torch.ones(TWINS, inputs, 1))
        self.norms = nn.ModuleList(make_batch_norm(TWINS * hidden) for _ in range(2))
        self.weights = nn.ParameterList(_rows(n_in, n_out) for n_in, n_out in ((inputs, hidden), (hidden, hidden)))
        self.logit_weight, self.logit_bias = _rows(hidden, bins), nn.Parameter(torch.zeros(TWINS, 1, bins))
        self.project_()

    def forward(self, observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Return both critics' values, each (B,), for observations (B, O) and actions (B, A)."""
        q1, q2 = self._values(self._logits(self._inputs(observation, action), Statistics.RUNNING))
        return q1, q2

    def first(self, observation: Tensor, action: Tensor) -> Tensor:
        """Return the first critic's values (B,) alone, which the actor maximises."""
        return self._values(self._logits(self._inputs(observation, action), Statistics.RUNNING, count=1))[0]

    def td_loss(self, target: "CategoricalCritic", rows: TDRows) -> TDLoss:
        """Compare both distributions with the one that the target critic with the smaller mean asks for.

        Args:
            target: What `target_copy` made of this critic.
            rows: B rows.
        """
        size, scale = len(rows.reward), self._scale()
        now = self._inputs(rows.observation, rows.action)
        joint = torch.cat([now, self._inputs(rows.next_observation, rows.next_action)])
        with torch.no_grad():
            next_logits = target._logits(joint, Statistics.BATCH, wanted=slice(size, None))
            discount = rows.gamma * (~rows.terminated).to(rows.reward.dtype)
            asked = projected(smaller_of(next_logits, self.support), rows.reward / scale, discount, self.support)
        logits = self._logits(joint, Statistics.FOLLOWED_BATCH, wanted=slice(size))
        q1, q2 = self._values(logits.detach())
        return TDLoss(cross_entropy(logits, asked, rows.weight), q1, q2, mean(asked, self.support) * scale)

    @torch.no_grad()
    def project_(self) -> None:
        """Scale the incoming weights of every unit to norm 1; to be called after each step of the optimizer."""
        for weight in (*self.weights, self.logit_weight):
            weight.div_(weight.square().sum(dim=1, keepdim=True).sqrt().clamp(min=1e-8))

    def _inputs(self, observation: Tensor, action: Tensor) -> Tensor:
        return torch.cat([self.norm(observation), action], dim=-1)

    def _logits(self, inputs: Tensor, by: Statistics, *, count: int = TWINS, wanted: slice = slice(None)) -> Tensor:
        """Return the logits (count, b, K) of the first `count` critics for the b wanted rows of inputs (B, O + A)."""
        rows = self.input_norm(inputs, by)
        weights = self.input_scale[:count] * self.weights[0][:count]
        units = self._activate(torch.bmm(rows.expand(count, -1, -1), weights), 0, by)
        units = self._activate(torch.bmm(units, self.weights[1][:count]), 1, by)
        return torch.baddbmm(self.logit_bias[:count], units[:, wanted], self.logit_weight[:count])

    def _activate(self, units: Tensor, layer: int, by: Statistics) -> Tensor:
        """Normalize units (count, B, H), each critic's as channels of their own, and let ReLU follow."""
        count, size, width = units.shape
        channels = units.transpose(0, 1).reshape(size, count * width)
        return self.norms[layer](channels, by).relu_().view(size, count, width).transpose(0, 1)

    def _values(self, logits: Tensor) -> Tensor:
        """Return values (count, B) in units of rewards."""
        return mean(logits.softmax(dim=-1), self.support) * self._scale()

    def _scale(self) -> Tensor:
        return self.support.new_ones(()) if self.reward_scale is None else self.reward_scale()


def _rows(n_in: int, n_out: int) -> nn.Parameter:
    """Make the weights of both critics, each (n_in, n_out), with orthogonal directions where there is room."""
    return nn.Parameter(torch.stack([nn.init.orthogonal_(torch.empty(n_in, n_out)) for _ in range(TWINS)]))
