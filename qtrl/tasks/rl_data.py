"""The data of reinforcement learning: environments, collecting policy, replay buffer, stream."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from qtrl.data import (
    CollectingPolicy,
    Collector,
    Column,
    Exploration,
    InProcessCollector,
    ProcessCollector,
    Replay,
    Schedule,
    Stream,
    all_columns,
    check_capacity,
    storage_named,
    transition_columns,
)
from qtrl.envs import VectorEnv, make_vector_env
from qtrl.nn import quantum_layers
from qtrl.seeding import seed_for
from qtrl.specs import EnvSpec
from qtrl.tasks.base import RunContext


@dataclass(frozen=True, kw_only=True)
class RLData:
    """What transitions come from, and where they go.

    Attributes:
        env: The environment: `id` and the options of `qtrl.envs.make_vector_env`.
        num_envs: Environments of each rank.
        exploration: Makes the actor's actions exploratory.
        replay: Batch size, capacity, storage, sampler and transform of the replay buffer, the collector, and where the
            policy acts.
        schedule: How env steps and updates follow each other.
        save_every: Env steps between two checkpoints.
        save_replay: Whether a checkpoint brings the rows of the replay buffer.
    """

    env: Mapping[str, Any]
    num_envs: int
    exploration: Exploration
    replay: Mapping[str, Any]
    schedule: Schedule
    save_every: int
    save_replay: bool

    def check(self, actor: nn.Module, spec: EnvSpec, context: RunContext) -> None:
        """Check that the replay buffer will fit.

        Raises:
            ConfigError: It would not fit into memory or onto the disk.
        """
        columns = all_columns(_columns(actor, spec), self.replay["sampler"], self.replay["transform"])
        in_memory = storage_named(self.replay["storage"]).in_memory
        check_capacity(
            sum(column.row_bytes for column in columns),
            **self._size(context),
            rows_of_run=math.ceil(self.schedule.total_env_steps / context.world_size) + self.num_envs,
            in_memory=in_memory,
            folder=_folder(context) if self.save_replay or not in_memory else None,
            processes=context.world_size // context.num_nodes,
        )

    def open(self, actor: nn.Module, spec: EnvSpec, context: RunContext) -> Stream:
        """Make the stream of minibatches; environments are made when its iteration starts."""
        columns = _columns(actor, spec)
        replay = Replay(
            columns,
            **{name: self.replay[name] for name in ("batch_size", "storage", "sampler", "transform")},
            **self._size(context),
            folder=_folder(context),
            seed=seed_for(context.seed, "replay", context.rank),
            keep=self.save_replay,
        )
        policy = CollectingPolicy(
            actor,
            exploration=self.exploration,
            seed=context.seed,
            rank=context.rank,
            stopwatch=context.meters.stopwatch,
            device=self.replay["policy_device"],
        )
        return Stream(
            partial(self._make_collector, context, policy, columns),
            policy,
            replay,
            schedule=self.schedule,
            meters=context.meters,
            rank=context.rank,
            world_size=context.world_size,
            save_replay=self.save_replay,
            overlap=self.replay["overlap"],
            stop=context.stop,
        )

    def _size(self, context: RunContext) -> dict[str, Any]:
        """Give the replay's files room for what is written between three saves.

        The first save may come as late as the first update, and any other by as many env steps as lie between two
        updates.
        """
        schedule = self.schedule
        interval = max(self.save_every, schedule.warmup_env_steps) + math.ceil(1 / schedule.updates_per_env_step)
        rows = math.ceil(interval / context.world_size) + self.num_envs
        return {"capacity": self.replay["capacity"], "slack": 2 * rows}

    def _make_collector(
        self,
        context: RunContext,
        policy: CollectingPolicy,
        columns: tuple[Column, ...],
        env_steps: int,
        state: dict[str, Any] | None,
    ) -> Collector:
        if self.replay["collector"] == "processes":
            return self._make_process_collector(context, policy, env_steps, state)
        envs = self._env_maker(context, f"envs from {env_steps}", self.num_envs)()
        try:
            return InProcessCollector(envs, policy, columns, state)
        except BaseException:
            envs.close()
            raise

    def _make_process_collector(
        self, context: RunContext, policy: CollectingPolicy, env_steps: int, state: dict[str, Any] | None
    ) -> Collector:
        """Share the environments equally among as many processes as may be and can be."""
        count = max(number for number in range(1, self._workers(context) + 1) if self.num_envs % number == 0)
        names = [f"process {number} from {env_steps}" for number in range(count)]
        makers = [self._env_maker(context, f"envs of {name}", self.num_envs // count) for name in names]
        seeds = [seed_for(context.seed, f"policy of {name}", context.rank) for name in names]
        return ProcessCollector(makers, policy, seeds, num_envs=self.num_envs, state=state)

    def _workers(self, context: RunContext) -> int:
        return self.env["workers"] or max(1, len(os.sched_getaffinity(0)) // context.world_size)

    def _env_maker(self, context: RunContext, purpose: str, num_envs: int) -> Callable[[], VectorEnv]:
        options = {name: value for name, value in self.env.items() if name != "id"}
        options["workers"] = self._workers(context)
        seed = seed_for(context.seed, purpose, context.rank)
        return partial(make_vector_env, self.env["id"], num_envs, seed, **options)


def _columns(actor: nn.Module, spec: EnvSpec) -> tuple[Column, ...]:
    blocks = {name: layer.block for name, layer in quantum_layers(actor).items()}
    return transition_columns(spec, {name: (block.n_in, block.n_out) for name, block in blocks.items()})


def _folder(context: RunContext) -> Path:
    return context.run_dir / "checkpoints" / "replay" / f"rank{context.rank}"
