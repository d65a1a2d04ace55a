"""Factory of vector environments, stepped serially, in threads or in worker processes."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from qtrl.envs.make import env_spec, make_env
from qtrl.envs.vectorized.vector_env import VectorEnv
from qtrl.envs.vectorized.worker import ProcessWorker, ThreadWorker, Worker
from qtrl.envs.vectorized.worker_pool import WorkerPool
from qtrl.errors import ConfigError

VECTORS: Mapping[str, type[Worker]] = {"serial": Worker, "threads": ThreadWorker, "processes": ProcessWorker}
"""The choices of `env.vector`."""


def make_vector_env(
    env_id: str,
    num_envs: int,
    seed: int,
    *,
    vector: str = "serial",
    workers: int | None = None,
    timeout: float = 30.0,
    max_restarts: int = 3,
    log_info: Sequence[str] = (),
    **options: Any,
) -> VectorEnv:
    """Make `num_envs` seeded copies of an environment; results do not depend on how they are stepped.

    Args:
        env_id: Anything that Gymnasium's `make` accepts.
        num_envs: Number of copies.
        seed: Non-negative. Copy i has a random stream of its own, derived from `seed` and i alone.
        vector: A name in `VECTORS`.
        workers: Number of threads or processes, at most one for each copy; None for the number of usable cores.
        timeout: Seconds, above 0 and up to a day, that a step or reset may take before a worker process is killed and
            restarted; ten times as many for making environments.
        max_restarts: Maximum number of restarts of worker processes within an hour; 0 or more.
        log_info: Keys of `info` whose numbers `VectorEnv.info` has.
        options: As of `make_env`; pickled for worker processes.

    Raises:
        ConfigError: A number is out of range, or `vector` is unknown.
        EnvError: As in `make_env`, or a worker died at its start.
    """
    if vector not in VECTORS:
        raise ConfigError(f"env.vector={vector!r} is unknown; choose one of {', '.join(VECTORS)}")
    workers = len(os.sched_getaffinity(0)) if workers is None else workers
    bounds = (("num_envs", num_envs, 1), ("seed", seed, 0), ("workers", workers, 1), ("max_restarts", max_restarts, 0))
    for name, value, least in bounds:
        if value < least:
            raise ConfigError(f"{name} is {value}, expected at least {least}")
    if not 0 < timeout <= 86_400:
        raise ConfigError(f"timeout is {timeout}, expected above 0 and up to 86400 seconds")
    kind, seeds = VECTORS[vector], start_seeds(seed, num_envs)
    make, spec = partial(make_env, env_id, **options), env_spec(env_id, **options)
    limits: dict[str, Any] = {"workers": workers, "timeout": timeout, "max_restarts": max_restarts}
    pool = WorkerPool(kind, make, spec, seeds, **limits, log_info=log_info)
    return VectorEnv(pool, spec)


def start_seeds(seed: int, num_envs: int) -> list[int]:
    """Return one 32-bit seed per environment, from independent streams; the first ones do not depend on `num_envs`."""
    return [int(child.generate_state(1)[0]) for child in np.random.SeedSequence(seed).spawn(num_envs)]
