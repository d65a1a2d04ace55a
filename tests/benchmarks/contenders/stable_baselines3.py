"""Stable-Baselines3's TD3 as its users run it."""

from typing import Any

import numpy as np
from stable_baselines3 import TD3
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.noise import NormalActionNoise

from contenders.task import Clock, Task


def run(task: Task, clock: Clock) -> float:
    """Train, with one gradient step for each env step whatever the number of environments."""
    envs = make_vec_env(task.env_id, n_envs=task.envs, seed=0)
    size = envs.action_space.shape
    model = TD3(
        "MlpPolicy",
        envs,
        learning_rate=3e-4,
        buffer_size=task.capacity,
        learning_starts=task.warmup,
        batch_size=task.batch,
        train_freq=1,
        gradient_steps=task.envs,
        action_noise=NormalActionNoise(np.zeros(size), np.full(size, 0.1)),
        policy_kwargs={"net_arch": [task.hidden, task.hidden]},
        seed=0,
        device="cpu",
    )

    def tick(*_: Any) -> bool:
        clock.tick(model.num_timesteps)
        return True  # go on

    model.learn(task.total, callback=tick)
    arrays = (column for column in vars(model.replay_buffer).values() if isinstance(column, np.ndarray))
    return 1e-6 * sum(array.nbytes for array in arrays)
