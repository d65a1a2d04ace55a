"""How the actor behaves while transitions are collected."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from tensordict import TensorDictBase
from tensordict.nn import TensorDictModuleBase
from torch import Tensor, nn

from qtrl.data.exploration import Exploration
from qtrl.data.graphed_acting import GraphedActing
from qtrl.keys import ACTION, OBSERVATION, Key, pair_keys
from qtrl.meters import Stopwatch
from qtrl.nn import acting_copy, copy_weights_, perturbed, quantum_layers
from qtrl.process.threads import one_thread
from qtrl.seeding import Generators


class CollectingPolicy(TensorDictModuleBase):
    """The actor with its real blocks, plus exploration, or random actions during warm-up.

    Random actions are drawn here and not by the collector, whose own warm-up skips the policy and would store zeros
    for q_in and q_out: the blocks run from the first step on.

    Args:
        actor: The actor that learns; acts with its current weights.
        exploration: Changes its actions.
        seed: The run's seed.
        rank: The process's rank.
        stopwatch: Where the time is booked, under `policy`.
        device: Where the actor acts; None for wherever it learns. On another device a copy acts, see `refresh`.
        cuda_graphs: Whether acting is replayed as CUDA graphs, see `GraphedActing`; needs a GPU that acts.

    Attributes:
        actor: The actor that acts.
        layers: Its quantum layers.
        out_keys: The keys that it writes: the action, then the pair of each quantum layer.
    """

    def __init__(
        self,
        actor: nn.Module,
        *,
        exploration: Exploration,
        seed: int,
        rank: int = 0,
        stopwatch: Stopwatch,
        device: str | None = None,
        cuda_graphs: bool = False,
    ) -> None:
        self._pair_keys = pair_keys(quantum_layers(actor))
        self.in_keys = [OBSERVATION]
        self.out_keys: list[Key] = [ACTION, *(key for pair in self._pair_keys.values() for key in pair)]
        super().__init__()
        self.random_actions = False
        self._exploration, self._stopwatch = exploration, stopwatch
        self._explores_on_device = getattr(exploration, "on_device", False)
        self._learner = actor
        self.actor = actor if device is None else acting_copy(actor, device)
        self.layers = quantum_layers(self.actor)
        self._weights = tuple(self.actor.parameters())  # `parameters()` takes longer to walk to than to act on
        self.generators = Generators(seed, rank)
        self._cuda_graphs = cuda_graphs
        self._graphs: GraphedActing | None = None

    def state_of_exploration(self) -> Any:
        """Return what exploration keeps between env steps, None where it keeps nothing."""
        keeps = getattr(self._exploration, "state_dict", None)
        return None if keeps is None else keeps()

    def load_state_of_exploration(self, state: Any) -> None:
        """Take back what `state_of_exploration` returned; None where it is of a run whose exploration kept nothing."""
        takes: Any = getattr(self._exploration, "load_state_dict", None)
        if takes is not None and state is not None:
            takes(state)

    def refresh(self) -> None:
        """Bring a copy on another device up to date with the weights that learn."""
        if self.actor is not self._learner:
            copy_weights_(self.actor, self._learner)

    def forward(self, tensordict: TensorDictBase) -> TensorDictBase:
        """Choose actions (N, A) for the observations (N, O) of a TensorDict of shape (N,).

        Returns:
            The TensorDict with `out_keys`: the actions, and what the blocks received and returned, where the
            observations lie.
        """
        with self._stopwatch.section("policy"), one_thread(), torch.no_grad():
            parts = self._answer(tensordict[OBSERVATION])
            if not self._explores_on_device:
                parts[0] = self._explore(parts[0])
            for key, value in zip(self.out_keys, parts, strict=True):
                tensordict[key] = value
        return tensordict

    def _answer(self, observation: Tensor) -> list[Tensor]:
        """Return what `_act` returns, where the observations lie."""
        device = self._weights[0].device
        if not self._cuda_graphs:
            return [part.to(observation.device) for part in self._act(observation.to(device))]
        self._graphs = self._graphs or GraphedActing(self._act, device, lambda: self.generators.on(device))
        return self._graphs(observation, self.random_actions)

    def _act(self, observation: Tensor) -> list[Tensor]:
        """Return actions (N, A), then what each block received and returned, for observations (N, O) of one device."""
        device = observation.device
        with self._perturbed(device):
            action = self.actor(observation, self.generators.get("shots", device))
        parts = [self._explore(action) if self._explores_on_device else action]
        for name in self._pair_keys:
            pair = self.layers[name].pair
            assert pair is not None
            parts += pair
        return parts

    def _perturbed(self, device: torch.device) -> AbstractContextManager[None]:
        noise = getattr(self._exploration, "angle_noise", 0.0)
        if not noise:
            return nullcontext()
        return perturbed(self.layers.values(), noise, self.generators.get("angle_noise", device))

    def _explore(self, action: Tensor) -> Tensor:
        generator = self.generators.get("exploration", action.device)
        if self.random_actions:
            return torch.rand(action.shape, generator=generator, dtype=action.dtype, device=action.device) * 2 - 1
        return self._exploration(action, generator)
