"""An agent that was trained in an environment, and acts as in a test."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import nn

from qtrl.config.objects import make
from qtrl.config.saved import PARTIAL
from qtrl.config.validation.number import Number
from qtrl.envs import make_env
from qtrl.envs.guards.wrappers import to_bounds
from qtrl.envs.observations import flattened
from qtrl.envs.spaces import own_spaces
from qtrl.errors import EnvError
from qtrl.process.threads import one_thread
from qtrl.run.checkpoint_checks import build_fitting, named_tensors
from qtrl.run.saved_run import LARGEST_SEED, SavedRun
from qtrl.seeding import seed_for

Array = np.ndarray[Any, np.dtype[Any]]


class Agent:
    """An agent that acts as in a test: without noise, through the real block.

    Attributes:
        env_id: The environment that it was trained in.
        observation_space: Of one observation, as that environment gives it.
        action_space: Of one action, as that environment takes it.
        env_steps: Env steps that it was trained for.
        actor: The network, from flat observations (N, O) to actions (N, A) in [-1, 1].
    """

    def __init__(
        self, actor: nn.Module, env_id: str, spaces: tuple[gym.Space, gym.spaces.Box], *, env_steps: int, seed: int
    ) -> None:
        self.actor, self.env_id, self.env_steps = actor, env_id, env_steps
        self.observation_space, self.action_space = spaces
        self._device = next(actor.parameters()).device
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Begin the random draws of the block, such as its shots, anew."""
        seed = Number(0, LARGEST_SEED).check("seed", seed)
        self._generator = torch.Generator(self._device).manual_seed(seed_for(seed, "test"))

    def act(self, observation: Any) -> Array:
        """Return the action for an observation, or N actions for a batch of N observations.

        Args:
            observation: As the environment gives it; in a batch each array has one more dimension, in front.

        Returns:
            The action as the environment takes it, in its units, shape and dtype; (N, ...) for a batch.

        Raises:
            ShapeError: The observation has another shape than the environment's.
            EnvError: It is not finite.
        """
        if isinstance(observation, torch.Tensor):
            observation = observation.detach().cpu()
        flat = flattened(self.observation_space, observation)
        if not np.isfinite(flat).all():
            raise EnvError(f"{self.env_id}: the observation has values that are not finite, expected finite numbers")
        rows = torch.from_numpy(flat.reshape(-1, flat.shape[-1])).to(self._device)
        with torch.no_grad(), one_thread():
            actions = self.actor(rows, self._generator).cpu().numpy()
        return to_bounds(actions.reshape(*flat.shape[:-1], actions.shape[-1]), self.action_space)


def make_agent(saved: SavedRun, plain: dict[str, Any], *, seed: int, device: torch.device) -> Agent:
    """Make the agent of a saved run, or of an exported one.

    Raises:
        QtrlError: The checkpoint does not fit the config, or the environment cannot be made here.
    """
    env_id = plain["env"]["id"]
    with make_env(env_id, **_env_options(plain["env"])) as env:
        sizes, spaces = (env.observation_space.shape[0], env.action_space.shape[0]), own_spaces(env)
    tensors = named_tensors(saved.checkpoint, saved.path)
    names = {name: f"actor.{name}" if saved.exported else name for name in tensors}
    weights = {names[name]: value for name, value in tensors.items() if names[name].startswith("actor.")}

    def make_actor() -> nn.ModuleDict:
        circuit = make(plain["circuit"])
        block = make(plain["block"])(circuit.n_angles, circuit.n_qubits)
        return nn.ModuleDict({"actor": make(plain["actor"])(*sizes, block, make(plain["gradient"]))})

    with torch.random.fork_rng(devices=[]):  # the caller's random stream stays as it is
        module = build_fitting(make_actor, {"state_dict": weights}, saved.path)
    module.load_state_dict(weights)
    actor = module["actor"].to(device)
    return Agent(actor, env_id, spaces, env_steps=saved.checkpoint["env_steps"], seed=seed)


def _env_options(env: dict[str, Any]) -> dict[str, Any]:
    """Return the options of `make_env`; configs of earlier versions lack some."""
    wrappers = [make({**wrapper, PARTIAL: True}) for wrapper in env.get("wrappers") or ()]
    return {"max_episode_steps": env["max_episode_steps"], "kwargs": make(env.get("kwargs")), "wrappers": wrappers}
