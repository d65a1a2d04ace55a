"""Reinforcement learning: an agent with a quantum layer, environments, a replay buffer and test episodes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch import LightningModule

from qtrl.nn import Block, GradientEstimator
from qtrl.quantum import Circuit


@dataclass(frozen=True, kw_only=True)
class RL:
    """Off-policy reinforcement learning on an environment of Gymnasium. Attributes are keys of the config.

    Attributes:
        env: The environment: `id` and the options of `qtrl.envs.make_vector_env`.
        circuit: Its angles and qubits are the inputs and outputs of the quantum layer, whatever the block.
        block: Makes the block from these two sizes.
        gradient: Makes the gradient estimator from the same sizes.
        actor: Makes the actor from sizes of observation and action, block and `gradient`.
        critic: Makes the critics from sizes of observation and action.
        exploration: Makes the actor's actions exploratory while transitions are collected.
        algo: Makes the LightningModule from actor and critic.
        data: Batch size, replay buffer and collector.
        callbacks: How often, and over how many episodes, the run is tested, probed and logged.
        total_env_steps: Env steps of the run, over all ranks and environments.
        warmup_env_steps: Those with random actions and without updates.
        updates_per_env_step: Updates owed for each env step after warm-up.
        num_envs: Environments of each rank.
        test_every_env_steps: Interval between tests.
        checkpoint_every_env_steps: Interval between checkpoints.
        checkpoint_replay: `last` where a checkpoint brings the rows of the replay buffer, `none` where it does not.
    """

    env: Mapping[str, Any]
    circuit: Circuit
    block: Callable[[int, int], Block]
    gradient: Callable[[int, int], GradientEstimator]
    actor: Callable[..., Any]
    critic: Callable[..., Any]
    exploration: Callable[..., torch.Tensor]
    algo: Callable[..., LightningModule]
    data: Mapping[str, Any]
    callbacks: Mapping[str, Any]
    total_env_steps: int
    warmup_env_steps: int
    updates_per_env_step: float
    num_envs: int
    test_every_env_steps: int
    checkpoint_every_env_steps: int
    checkpoint_replay: str
