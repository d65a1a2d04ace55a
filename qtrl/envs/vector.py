"""Several environments behind TorchRL's interface, for collecting.

Shapes: N environments, O observation, A action.
"""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from qtrl.envs.make import make_env
from qtrl.errors import ConfigError

if TYPE_CHECKING:
    from torchrl.envs import EnvBase


def make_vector_env(env_id: str, num_envs: int, seed: int, *, max_episode_steps: int | None = None) -> "EnvBase":
    """Make `num_envs` seeded copies of an environment, stepped one after the other in this process.

    `observation` and `("next", "observation")` have shape (N, O), `action` (N, A), `("next", "reward")` and the flags
    (N, 1). What stands under `next` at the end of an episode is its true last observation; the reset one comes as
    `observation` of the following row. `terminated` and `truncated` are kept apart, `done` is either.

    One process is the fast way for environments that take less than a millisecond a step, and the only one of
    TorchRL's ways through Gymnasium's vector environments that keeps the last observation of an episode.

    Args:
        env_id: Anything that Gymnasium's `make` accepts.
        num_envs: Number of copies.
        seed: Non-negative. Copy i draws its starts from a stream of its own, made from `seed` and i alone.
        max_episode_steps: Time limit in env steps in place of the environment's own.

    Raises:
        ConfigError: `num_envs` is below 1 or `seed` is negative.
        EnvError: As in `make_env`.
    """
    if num_envs < 1:
        raise ConfigError(f"num_envs is {num_envs}, expected at least 1")
    # TorchRL takes seconds to import and sets the start method of processes, so only who collects pays for it.
    from torchrl.envs import GymWrapper

    seeds = start_seeds(seed, num_envs)
    make = partial(make_env, env_id, max_episode_steps=max_episode_steps)
    envs = SyncVectorEnv([make] * num_envs, autoreset_mode=AutoresetMode.DISABLED)
    # Seeds each copy's generator. The collector resets once more, so a run begins with the second start of each seed.
    envs.reset(seed=seeds)
    return GymWrapper(envs)


def start_seeds(seed: int, num_envs: int) -> list[int]:
    """Return one 32-bit seed for each environment, from independent streams; more environments keep the first ones.

    Raises:
        ConfigError: `seed` is negative.
    """
    if seed < 0:
        raise ConfigError(f"seed is {seed}, expected 0 or more")
    return [int(child.generate_state(1)[0]) for child in np.random.SeedSequence(seed).spawn(num_envs)]
