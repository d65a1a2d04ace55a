"""From a checked config to the path of the data: environments, collecting policy, replay, stream."""

import math
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from omegaconf import DictConfig

from qtrl.algos import TD3
from qtrl.data import CollectingPolicy, Column, Replay, Schedule, Stream, check_space, storage_named, transition_columns
from qtrl.envs import VectorEnv, make_vector_env
from qtrl.nn import quantum_layers
from qtrl.process.stopping import Stop
from qtrl.run.build import Ranks, build
from qtrl.seeding import seed_for
from qtrl.specs import EnvSpec


def build_stream(
    cfg: DictConfig, spec: EnvSpec, module: TD3, run_dir: Path, *, ranks: Ranks, stop: Stop | None = None
) -> Stream:
    """Make the path of the data: environments, collecting policy, replay."""
    columns = _columns(spec, module)
    replay = build_replay(cfg, columns, _replay_folder(run_dir, ranks), ranks=ranks)
    policy = CollectingPolicy(
        module.actor,
        exploration=build(cfg.exploration),
        seed=cfg.seed,
        rank=ranks.rank,
        stopwatch=module.meters.stopwatch,
        device=cfg.data.policy_device,
    )
    return Stream(
        partial(_make_envs, cfg, ranks),
        policy,
        replay,
        schedule=Schedule(cfg.total_env_steps, cfg.warmup_env_steps, cfg.updates_per_env_step),
        meters=module.meters,
        rank=ranks.rank,
        world_size=ranks.world_size,
        save_replay=cfg.checkpoint_replay == "last",
        collector=cfg.data.get("collector", "direct"),  # a run folder of an earlier version names none of these
        overlap=cfg.data.get("overlap", False),
        stop=stop,
    )


def check_replay(cfg: DictConfig, spec: EnvSpec, module: TD3, run_dir: Path, *, ranks: Ranks) -> None:
    """Check that the replay will fit, before anything is written.

    Raises:
        ConfigError: It would not fit into memory or onto the disk.
    """
    columns = _columns(spec, module)
    _check_space(cfg, columns, _replay_folder(run_dir, ranks), ranks=ranks)


def build_replay(cfg: DictConfig, columns: Sequence[Column], folder: Path, *, ranks: Ranks) -> Replay:
    """Make the replay of a rank.

    Raises:
        ConfigError: It would not fit into memory or onto the disk.
    """
    _check_space(cfg, columns, folder, ranks=ranks)
    return Replay(
        columns,
        **_replay_size(cfg, ranks),
        batch_size=cfg.data.batch_size,
        storage=cfg.data.storage,
        folder=folder,
        seed=seed_for(cfg.seed, "replay", ranks.rank),
        keep=cfg.checkpoint_replay == "last",
    )


def _columns(spec: EnvSpec, module: TD3) -> tuple[Column, ...]:
    blocks = {name: layer.block for name, layer in quantum_layers(module.actor).items()}
    return transition_columns(spec, {name: (block.n_in, block.n_out) for name, block in blocks.items()})


def _replay_folder(run_dir: Path, ranks: Ranks) -> Path:
    return run_dir / "checkpoints" / "replay" / f"rank{ranks.rank}"


def _replay_size(cfg: DictConfig, ranks: Ranks) -> dict[str, int]:
    """Give the replay's files room for what is written between three saves.

    The first save may come as late as the first update, and any other by as many env steps as lie between two updates.
    """
    env_steps = max(cfg.checkpoint_every_env_steps, cfg.warmup_env_steps) + math.ceil(1 / cfg.updates_per_env_step)
    rows = math.ceil(env_steps / ranks.world_size) + cfg.num_envs
    return {"capacity": cfg.data.capacity, "slack": 2 * rows}


def _check_space(cfg: DictConfig, columns: Sequence[Column], folder: Path, *, ranks: Ranks) -> None:
    keep, in_memory = cfg.checkpoint_replay == "last", storage_named(cfg.data.storage).in_memory
    check_space(
        sum(column.row_bytes for column in columns),
        **_replay_size(cfg, ranks),
        rows_of_run=math.ceil(cfg.total_env_steps / ranks.world_size) + cfg.num_envs,
        in_memory=in_memory,
        folder=folder if keep or not in_memory else None,
        processes=ranks.world_size // cfg.trainer.get("num_nodes", 1),
    )


def _make_envs(cfg: DictConfig, ranks: Ranks, env_steps: int) -> VectorEnv:
    cores = len(os.sched_getaffinity(0))
    return make_vector_env(
        cfg.env.id,
        cfg.num_envs,
        seed_for(cfg.seed, f"envs from {env_steps}", ranks.rank),
        max_episode_steps=cfg.env.max_episode_steps,
        vector=cfg.env.get("vector", "serial"),
        workers=cfg.env.get("workers") or max(1, cores // ranks.world_size),
        timeout=cfg.env.get("timeout", 30.0),
        max_restarts=cfg.env.get("max_restarts", 3),
    )
