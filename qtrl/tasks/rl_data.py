"""The data of reinforcement learning: environments, collecting policy, replay buffer, stream."""

import math
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtrl.data import CollectingPolicy, Column, Replay, Stream, check_space, storage_named, transition_columns
from qtrl.envs import VectorEnv, make_vector_env
from qtrl.nn import quantum_layers
from qtrl.seeding import seed_for
from qtrl.tasks.base import RunContext

if TYPE_CHECKING:
    from qtrl.tasks.rl import RL


def make_stream(task: "RL", module: Any, context: RunContext) -> Stream:
    """Open the data of a run."""
    check_replay(task, module, context)
    replay = Replay(
        columns_of(task, module),
        **_replay_size(task, context),
        batch_size=task.data["batch_size"],
        storage=task.data["storage"],
        folder=_replay_folder(context),
        seed=seed_for(context.seed, "replay", context.rank),
        keep=task.checkpoint_replay == "last",
    )
    policy = CollectingPolicy(
        module.actor,
        exploration=task.exploration,
        seed=context.seed,
        rank=context.rank,
        stopwatch=context.meters.stopwatch,
        device=task.data["policy_device"],
    )
    return Stream(
        partial(_make_envs, task, context),
        policy,
        replay,
        schedule=task.schedule,
        meters=context.meters,
        rank=context.rank,
        world_size=context.world_size,
        save_replay=task.checkpoint_replay == "last",
        overlap=task.data["overlap"],
        stop=context.stop,
    )


def check_replay(task: "RL", module: Any, context: RunContext) -> None:
    """Check that the replay buffer will fit.

    Raises:
        ConfigError: It would not fit into memory or onto the disk.
    """
    keep, in_memory = task.checkpoint_replay == "last", storage_named(task.data["storage"]).in_memory
    check_space(
        sum(column.row_bytes for column in columns_of(task, module)),
        **_replay_size(task, context),
        rows_of_run=math.ceil(task.total_env_steps / context.world_size) + task.num_envs,
        in_memory=in_memory,
        folder=_replay_folder(context) if keep or not in_memory else None,
        processes=context.world_size // context.num_nodes,
    )


def columns_of(task: "RL", module: Any) -> tuple[Column, ...]:
    """Return the columns of a transition, with q_in and q_out of each of the actor's quantum layers."""
    blocks = {name: layer.block for name, layer in quantum_layers(module.actor).items()}
    return transition_columns(task.spec, {name: (block.n_in, block.n_out) for name, block in blocks.items()})


def _replay_folder(context: RunContext) -> Path:
    return context.run_dir / "checkpoints" / "replay" / f"rank{context.rank}"


def _replay_size(task: "RL", context: RunContext) -> dict[str, int]:
    """Give the replay's files room for what is written between three saves.

    The first save may come as late as the first update, and any other by as many env steps as lie between two updates.
    """
    interval = max(task.checkpoint_every_env_steps, task.warmup_env_steps) + math.ceil(1 / task.updates_per_env_step)
    rows = math.ceil(interval / context.world_size) + task.num_envs
    return {"capacity": task.data["capacity"], "slack": 2 * rows}


def _make_envs(task: "RL", context: RunContext, env_steps: int) -> VectorEnv:
    options = {name: value for name, value in task.env.items() if name != "id"}
    options["workers"] = options["workers"] or max(1, len(os.sched_getaffinity(0)) // context.world_size)
    seed = seed_for(context.seed, f"envs from {env_steps}", context.rank)
    return make_vector_env(task.env["id"], task.num_envs, seed, **options)
