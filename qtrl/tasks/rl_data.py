"""The data of reinforcement learning: environments, collecting policy, replay buffer, stream."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from qtrl.data import (
    CollectingPolicy,
    Collector,
    Column,
    DiscountedReturns,
    Exploration,
    InProcessCollector,
    ProcessCollector,
    Replay,
    Schedule,
    Stream,
    all_columns,
    check_allocation,
    check_capacity,
    in_memory,
    replay_bytes,
    storage_device,
    transition_columns,
)
from qtrl.envs import VECTORS, EndlessNotice, VectorEnv, env_spec, make_vector_env, try_out
from qtrl.envs.endless import PATIENCE
from qtrl.errors import ConfigError
from qtrl.nn import quantum_layers
from qtrl.process.devices import usable_device
from qtrl.process.memory import available_memory
from qtrl.seeding import seed_for
from qtrl.specs import EnvSpec
from qtrl.tasks.base import RunContext

ENV_OPTIONS = ("max_episode_steps", "kwargs", "wrappers")
"""Keys of `env` that are options of each environment; the others say how many are stepped."""
TEST_ENVS = 10
"""Environments of a test at the same time, in runs of versions without the key."""


@dataclass(frozen=True, kw_only=True)
class RLData:
    """What transitions come from, and where they go: the part of the task `RL` that makes its data.

    Attributes:
        env: The environment: `id`, the `levels` of its tests, and the options of `qtrl.envs.make_env` and
            `qtrl.envs.make_vector_env`.
        exploration: Makes the actor's actions exploratory while transitions are collected.
        data: Batch size, capacity, storage, sampler and transform of the replay buffer, the collector, and where the
            policy acts.
        total_env_steps: Env steps of the run, over all ranks and environments.
        warmup_env_steps: Those with random actions and without updates.
        updates_per_env_step: Updates owed for each env step after warm-up.
        num_envs: Environments of each rank.
        checkpoint_every_env_steps: Interval between checkpoints.
        callbacks: How often, and over how many episodes, the run is tested, probed and logged, and what of `info`.
        checkpoint_replay: `last` where a checkpoint brings the rows of the replay buffer, `none` where it does not.
        callbacks: How often, and over how many episodes, the run is tested, probed and logged, and in how many
            environments at the same time (`test_envs`; 0 for one in the place of those of training).
    """

    env: Mapping[str, Any]
    exploration: Exploration
    data: Mapping[str, Any]
    total_env_steps: int
    warmup_env_steps: int
    updates_per_env_step: float
    num_envs: int
    checkpoint_every_env_steps: int
    checkpoint_replay: str
    callbacks: Mapping[str, Any]

    def __post_init__(self) -> None:
        overlap, vector = self.data["overlap"], VECTORS[self.env["vector"]]
        if overlap and not vector.steps_beside:
            others = " or ".join(name for name, kind in VECTORS.items() if kind.steps_beside)
            raise ConfigError(f"data.overlap=true needs environments beside the learner: set env.vector={others}")
        if self.data["collector"] == "processes" and (overlap or self.env["vector"] != "serial"):
            raise ConfigError("data.collector=processes steps there: it needs env.vector=serial and data.overlap=false")
        if self.test_envs == 0 and (overlap or self.data["collector"] != "in_process"):
            raise ConfigError("callbacks.test_envs=0 needs data.overlap=false and data.collector=in_process")
        _ = self.schedule

    @property
    def env_options(self) -> dict[str, Any]:
        """Options of each environment, in training and in tests."""
        return {name: self.env[name] for name in ENV_OPTIONS if self.env.get(name) is not None}

    @property
    def test_envs(self) -> int:
        """Environments of a test at the same time; 0 where a test is played while none of training exist."""
        number: int = self.callbacks.get("test_envs", TEST_ENVS)
        return number

    @cached_property
    def endless(self) -> EndlessNotice:
        """What is said of an environment whose episodes do not end, once in training and tests."""
        return EndlessNotice(self.spec)

    @property
    def schedule(self) -> Schedule:
        """How env steps and updates follow each other.

        Raises:
            ConfigError: The warm-up is not shorter than the run.
        """
        return Schedule(self.total_env_steps, self.warmup_env_steps, self.updates_per_env_step)

    @cached_property
    def spec(self) -> EnvSpec:
        """Sizes and time limit of the environment, of which one is made for that."""
        return env_spec(self.env["id"], **self.env_options)

    @property
    def log_info(self) -> tuple[str, ...]:
        """Keys of the environments' `info` that become metrics."""
        return tuple(self.callbacks.get("log_info") or ())  # a run folder of an earlier version has none

    def check(self, module: Any, context: RunContext) -> None:
        """Check that there is something to learn, that the replay buffer will fit, and what the environment promises.

        Raises:
            ConfigError: No update is owed, the buffer would not fit into memory or onto the disk, or the policy cannot
                act where it should.
            EnvError: The environment is not one of Gymnasium's kind, or not so many can exist at the same time.
        """
        self.schedule.check_updates(self.num_envs * context.world_size)
        self._check_replay(module, context)
        self._check_policy_device()
        if context.rank == 0:
            tests = max(self.callbacks["test_episodes"], self.callbacks["final_test_episodes"] or 0)
            numbers = {"num_envs": self.num_envs, "test_envs": min(tests, self.test_envs)}
            try_out(self.env["id"], **numbers, memory=available_memory(), **self.env_options)

    def _check_policy_device(self) -> None:
        device = self.data["policy_device"]
        try:
            usable_device(device)
        except (ValueError, TypeError) as error:
            hint = "write cpu, cuda, or null for where the module learns"
            raise ConfigError(f"data.policy_device={device} cannot be used here: {hint}") from error

    def _check_replay(self, module: Any, context: RunContext) -> None:
        takes_memory = in_memory(self.data["storage"])
        check_capacity(
            self._row_bytes(module),
            **self._size(context),
            rows_of_run=self._rows_of_run(context),
            in_memory=takes_memory,
            device=self._device(context),
            folder=_folder(context) if self._saves_replay or not takes_memory else None,
            processes=context.world_size // context.num_nodes,
        )
        if takes_memory and self._device(context).type == "cpu":
            check_allocation([column.row_bytes for column in self._all_columns(module)], self.data["capacity"])

    def replay_bytes(self, context: RunContext, module: Any) -> tuple[int, int]:
        """Return what the replay buffers of all ranks will take, in bytes on disk and in memory."""
        sizes = {**self._size(context), "rows_of_run": self._rows_of_run(context)}
        takes_memory = in_memory(self.data["storage"])
        takes_disk = self._saves_replay or not takes_memory
        files, rows = replay_bytes(self._row_bytes(module), **sizes)
        return files * takes_disk * context.world_size, rows * takes_memory * context.world_size

    def _all_columns(self, module: Any) -> tuple[Column, ...]:
        return all_columns(self._columns(module.actor), self.data["sampler"], self.data["transform"])

    def _row_bytes(self, module: Any) -> int:
        return sum(column.row_bytes for column in self._all_columns(module))

    def _rows_of_run(self, context: RunContext) -> int:
        return math.ceil(self.total_env_steps / context.world_size) + self.num_envs

    def make_data(self, module: Any, context: RunContext) -> Stream:
        """Make the stream of minibatches; environments are made when its iteration starts."""
        columns = self._columns(module.actor)
        replay = Replay(
            columns,
            **{name: self.data[name] for name in ("batch_size", "storage", "sampler", "transform")},
            **self._size(context),
            folder=_folder(context),
            device=self._device(context),
            seed=seed_for(context.seed, "replay", context.rank),
            keep=self._saves_replay,
        )
        policy = CollectingPolicy(
            module.actor,
            exploration=self.exploration,
            seed=context.seed,
            rank=context.rank,
            stopwatch=context.meters.stopwatch,
            device=self.data["policy_device"],
            cuda_graphs=self._records_acting(module, context),
        )
        stream = Stream(
            partial(self._make_collector, context, policy, columns),
            policy,
            replay,
            schedule=self.schedule,
            meters=context.meters,
            rank=context.rank,
            world_size=context.world_size,
            save_replay=self._saves_replay,
            overlap=self.data["overlap"],
            recent_rows=max((layer.estimator.window for layer in quantum_layers(module.actor).values()), default=0),
            observe=module.observe,
            returns=_returns(module),
            stop=context.stop,
            log_info=self.log_info,
        )
        if context.rank == 0:
            patience = min(PATIENCE * self.num_envs * context.world_size, self.total_env_steps)
            stream.listen(self.endless.watch(lambda: stream.stats.episodes.count, patience))
        return stream

    @property
    def _saves_replay(self) -> bool:
        return self.checkpoint_replay == "last"

    def _device(self, context: RunContext) -> torch.device:
        return storage_device(self.data["storage"], context.device)

    def _records_acting(self, module: Any, context: RunContext) -> bool:
        """Tell whether acting becomes CUDA graphs, as updates do: where it is done on a GPU, by this process."""
        acts_on = torch.device(self.data["policy_device"] or context.device)
        here = self.data["collector"] == "in_process"
        return getattr(module, "cuda_graphs", False) and here and acts_on.type == "cuda"

    def _columns(self, actor: nn.Module) -> tuple[Column, ...]:
        blocks = {name: layer.block for name, layer in quantum_layers(actor).items()}
        return transition_columns(self.spec, {name: (block.n_in, block.n_out) for name, block in blocks.items()})

    def _size(self, context: RunContext) -> dict[str, Any]:
        """Give the replay's files room for what is written between three saves.

        The first save may come as late as the first update, and any other by as many env steps as lie between two
        updates.
        """
        saves = max(self.checkpoint_every_env_steps, self.warmup_env_steps)
        interval = saves + math.ceil(1 / self.updates_per_env_step)
        rows = math.ceil(interval / context.world_size) + self.num_envs
        return {"capacity": self.data["capacity"], "slack": 2 * rows}

    def _make_collector(
        self,
        context: RunContext,
        policy: CollectingPolicy,
        columns: tuple[Column, ...],
        env_steps: int,
        state: dict[str, Any] | None,
    ) -> Collector:
        if self.data["collector"] == "processes":
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
        options = {name: value for name, value in self.env.items() if name not in ("id", "levels", *ENV_OPTIONS)}
        options |= {"workers": self._workers(context), "log_info": self.log_info, **self.env_options}
        seed = seed_for(context.seed, purpose, context.rank)
        return partial(make_vector_env, self.env["id"], num_envs, seed, **options)


def _returns(module: Any) -> DiscountedReturns | None:
    """Return what gives an algorithm the discounted returns that it scales rewards by, if it does."""
    if not getattr(module, "scales_rewards", False):
        return None
    return DiscountedReturns(module.settings.gamma, module.observe_returns)


def _folder(context: RunContext) -> Path:
    return context.run_dir / "checkpoints" / "replay" / f"rank{context.rank}"
