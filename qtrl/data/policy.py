"""How the actor behaves while transitions are collected."""

import copy

import torch
from tensordict import TensorDictBase
from tensordict.nn import TensorDictModuleBase
from torch import Tensor

from qtrl.keys import ACTION, OBSERVATION, Q_IN, Q_OUT
from qtrl.meters import Stopwatch
from qtrl.nn import ActorOutput, HybridActor
from qtrl.process.threads import one_thread
from qtrl.seeding import Generators


class CollectingPolicy(TensorDictModuleBase):
    """The actor with its real block, plus Gaussian exploration noise, or random actions during warm-up.

    Random actions are drawn here and not by the collector, whose own warm-up skips the policy and would store zeros
    for q_in and q_out: the block runs from the first step on.

    Args:
        actor: The actor that learns; acts with its current weights.
        noise: Standard deviation of the exploration noise, in units of actions in [-1, 1].
        seed: The run's seed.
        rank: The process's rank.
        stopwatch: Where the time is booked, under `policy`.
        device: Where the actor acts; None for wherever it learns. On another device a copy acts, see `refresh`.
    """

    def __init__(
        self,
        actor: HybridActor,
        *,
        noise: float,
        seed: int,
        rank: int = 0,
        stopwatch: Stopwatch,
        device: str | None = None,
    ) -> None:
        self.in_keys = [OBSERVATION]
        self.out_keys = [ACTION, Q_IN, Q_OUT]
        super().__init__()
        self.random_actions = False
        self._noise, self._stopwatch, self._device = noise, stopwatch, device
        self._learner = actor
        self.actor = actor if device is None else copy.deepcopy(actor).to(device)
        self._weights = tuple(self.actor.parameters())  # `parameters()` takes longer to walk to than to act on
        self.generators = Generators(seed, rank)

    def refresh(self) -> None:
        """Bring a copy on another device up to date with the weights that learn."""
        if self.actor is not self._learner:
            self.actor.load_state_dict(self._learner.state_dict())

    def act(self, observation: Tensor) -> ActorOutput:
        """Choose actions (N, A) for observations (N, O); all that is returned is on the device of the observations."""
        with self._stopwatch.section("policy"), one_thread(), torch.no_grad():
            device = self._weights[0].device
            output = self.actor(observation.to(device), self.generators.get("shots", device))
            action, q_in, q_out = (value.to(observation.device) for value in output)
            return ActorOutput(self._explore(action), q_in, q_out)

    def forward(self, tensordict: TensorDictBase) -> TensorDictBase:
        """Choose actions for the observations of a TensorDict of shape (N,); store them, q_in and q_out."""
        tensordict[ACTION], tensordict[Q_IN], tensordict[Q_OUT] = self.act(tensordict[OBSERVATION])
        return tensordict

    def _explore(self, action: Tensor) -> Tensor:
        generator = self.generators.get("exploration", action.device)
        if self.random_actions:
            return torch.rand(action.shape, generator=generator, dtype=action.dtype) * 2 - 1
        noise = torch.randn(action.shape, generator=generator, dtype=action.dtype)
        return (action + self._noise * noise).clamp(-1.0, 1.0)
