"""Several environments at once, for collecting: one after the other, in threads or in processes."""

import os
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

import numpy as np

from qtrl.envs.base import VectorEnv
from qtrl.envs.in_process import SerialVectorEnv, ThreadVectorEnv
from qtrl.envs.make import env_spec, make_env
from qtrl.envs.processes import ProcessVectorEnv
from qtrl.errors import ConfigError

VECTORS: Mapping[str, type[VectorEnv]] = MappingProxyType(
    {"serial": SerialVectorEnv, "threads": ThreadVectorEnv, "processes": ProcessVectorEnv}
)
"""What `env.vector` may be."""


def make_vector_env(
    env_id: str,
    num_envs: int,
    seed: int,
    *,
    max_episode_steps: int | None = None,
    vector: str = "serial",
    workers: int | None = None,
) -> VectorEnv:
    """Make `num_envs` seeded copies of an environment; the numbers do not depend on how they are stepped.

    Args:
        env_id: Anything that Gymnasium's `make` accepts.
        num_envs: Number of copies.
        seed: Non-negative. Copy i draws its starts from a stream of its own, made from `seed` and i alone.
        max_episode_steps: Time limit in env steps in place of the environment's own.
        vector: A name in `VECTORS`.
        workers: Threads or processes, at most one for each copy; None for as many as cores may be used.

    Raises:
        ConfigError: `num_envs` or `workers` is below 1, `seed` is negative, or `vector` is unknown.
        EnvError: As in `make_env`, or a worker died.
    """
    if vector not in VECTORS:
        raise ConfigError(f"env.vector={vector!r} is unknown; choose one of {', '.join(VECTORS)}")
    workers = len(os.sched_getaffinity(0)) if workers is None else workers
    for name, value in (("num_envs", num_envs), ("workers", workers)):
        if value < 1:
            raise ConfigError(f"{name} is {value}, expected at least 1")
    seeds = start_seeds(seed, num_envs)
    make = partial(make_env, env_id, max_episode_steps=max_episode_steps)
    spec = env_spec(env_id, max_episode_steps=max_episode_steps)
    envs = VECTORS[vector](make, num_envs, spec, workers=workers)
    # Seeds each copy's generator. A collector resets once more, so a run begins with the second start of each seed.
    try:
        envs.reset(seed=seeds)
    except BaseException:
        envs.close()
        raise
    return envs


def start_seeds(seed: int, num_envs: int) -> list[int]:
    """Return one 32-bit seed for each environment, from independent streams; more environments keep the first ones.

    Raises:
        ConfigError: `seed` is negative.
    """
    if seed < 0:
        raise ConfigError(f"seed is {seed}, expected 0 or more")
    return [int(child.generate_state(1)[0]) for child in np.random.SeedSequence(seed).spawn(num_envs)]
