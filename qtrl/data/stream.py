"""The path of the data: collect, extend the replay, yield minibatches; Lightning's `fit` consumes it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from qtrl.data.collector import COLLECTORS, Collector, check_collector
from qtrl.data.policy import CollectingPolicy
from qtrl.data.replay import Replay
from qtrl.envs import VectorEnv
from qtrl.errors import ConfigError
from qtrl.keys import DONE, REWARD
from qtrl.meters import RunMeters
from qtrl.ranks import from_all_ranks
from qtrl.specs import Batch

BEYOND = 10**12
"""More minibatches than any run has."""


@dataclass(frozen=True)
class Schedule:
    """How env steps and updates follow each other; all counts are sums over ranks.

    Attributes:
        total_env_steps: Env steps after which the stream ends.
        warmup_env_steps: Env steps with random actions before the first update.
        updates_per_env_step: Updates owed for each env step after warm-up; may be a fraction.
    """

    total_env_steps: int
    warmup_env_steps: int
    updates_per_env_step: float

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_env_steps < self.total_env_steps:
            raise ConfigError(
                f"warmup_env_steps={self.warmup_env_steps} must be at least 0 and below "
                f"total_env_steps={self.total_env_steps}; lower the one or raise the other"
            )
        if self.updates_per_env_step <= 0:
            raise ConfigError(f"updates_per_env_step={self.updates_per_env_step} must be above 0")


class Stream:
    """One generator: step the environments, extend the replay, yield the updates that are owed.

    Every rank steps as many environments and yields as many minibatches as every other.

    An action is chosen with the weights after all updates that are owed for the step before. With `overlap` it is
    chosen one turn earlier, before those updates, and the environments step while they are made. A step that is under
    way when a checkpoint is written is not in it: a resumed run begins new episodes anyway.

    Args:
        make_env: Makes the vector environment; called when iteration starts, with the env steps already made, so that
            a resumed run does not meet the same start states again.
        policy: Chooses actions and records q_in and q_out.
        replay: Receives the transitions and gives the minibatches.
        schedule: When to act at random, when to learn, when to end.
        meters: Where time and circuits are booked.
        rank: This process's rank.
        world_size: Number of ranks.
        save_replay: Whether a checkpoint brings the replay's rows with it. Without them a resumed run first collects as
            many rows as warm-up does, with its own policy.
        collector: A name in `COLLECTORS`.
        overlap: Whether environments step while updates are made.

    Raises:
        ConfigError: `collector` is unknown, or cannot overlap.
    """

    def __init__(
        self,
        make_env: Callable[[int], VectorEnv],
        policy: CollectingPolicy,
        replay: Replay,
        *,
        schedule: Schedule,
        meters: RunMeters,
        rank: int = 0,
        world_size: int = 1,
        save_replay: bool = True,
        collector: str = "direct",
        overlap: bool = False,
    ) -> None:
        check_collector(collector, overlap=overlap)
        self._make_collector, self._overlap = COLLECTORS[collector], overlap
        self._make_env, self._policy, self.replay = make_env, policy, replay
        self._schedule, self._meters = schedule, meters
        self._rank, self._world_size, self._save_replay = rank, world_size, save_replay
        self.env_steps = 0
        self.episodes = EpisodeReturns()
        self.on_collect: Callable[[int], None] | None = None
        """Called with `env_steps` after every collected step, warm-up included."""
        self._owed = 0.0
        self._rows_before_learning = 0

    def __len__(self) -> int:
        """Give a number that is never reached.

        Without one Lightning looks a minibatch ahead, and at a lower one it would end the run: environments side by
        side overshoot the schedule, and a resumed run may have another.
        """
        return BEYOND

    def __iter__(self) -> Iterator[Batch]:
        envs = self._make_env(self.env_steps)
        try:
            collector = self._make_collector(envs, self._policy)
            yield from self._run(collector, envs.num_envs)
        finally:
            envs.close()

    def _run(self, collector: Collector, num_envs: int) -> Iterator[Batch]:
        stopwatch, steps = self._meters.stopwatch, num_envs * self._world_size
        while self.env_steps < self._schedule.total_env_steps:
            learns = self._learns()
            with stopwatch.section("learning" if learns else "warmup"):
                self._collect(collector, num_envs)
                self._owed += learns * steps * self._schedule.updates_per_env_step
                while self._owed >= 1:
                    self._owed -= 1
                    with stopwatch.section("replay"):
                        batch = Batch(self.replay.sample(), self.env_steps)
                    yield batch

    def _learns(self) -> bool:
        return self.env_steps >= self._schedule.warmup_env_steps and len(self.replay) >= self._rows_before_learning

    def _collect(self, collector: Collector, num_envs: int) -> None:
        """Add a row of every environment to the replay; with `overlap` let the environments go on."""
        if not collector.begun:
            self._begin(collector, num_envs)
        with self._stepping():
            rows = collector.end()
        with self._meters.stopwatch.section("replay"):
            self.replay.extend(rows)
        self.env_steps += num_envs * self._world_size
        self.episodes.add(rows[REWARD].reshape(-1), rows[DONE].reshape(-1))
        if self.on_collect is not None:
            self.on_collect(self.env_steps)
        if self._overlap and self.env_steps < self._schedule.total_env_steps:
            self._begin(collector, num_envs)

    def _begin(self, collector: Collector, num_envs: int) -> None:
        self._policy.random_actions = self.env_steps < self._schedule.warmup_env_steps
        self._policy.refresh()
        with self._stepping():
            collector.begin()
        self._meters.ledger.add("collect", self._policy.actor.block.cost(num_envs))

    @contextmanager
    def _stepping(self) -> Iterator[None]:
        """Book the time of the `with` block on the environments, but for that of the policy, and that of circuits."""
        stopwatch = self._meters.stopwatch
        policy_before = stopwatch.seconds["policy"]
        with stopwatch.section("env"), self._meters.ledger.timed("collect", self._policy.actor.block):
            yield
        stopwatch.seconds["env"] -= stopwatch.seconds["policy"] - policy_before

    def commit(self) -> None:
        """Bring the replay onto the disk, for a checkpoint that is about to be written."""
        if self._save_replay:
            self.replay.commit()

    def state_dict(self) -> dict[str, object]:
        """Return counters and every rank's random states; environments restart at an episode boundary."""
        return {
            "env_steps": self.env_steps,
            "owed": self._owed,
            "episodes": self.episodes.count,
            "replay_saved": self._save_replay,
            "ranks": from_all_ranks(
                {"replay": self.replay.state_dict(), "policy": self._policy.generators.state_dict()}
            ),
        }

    def load_state_dict(self, state: dict) -> None:
        """Take back what `state_dict` returned; Lightning calls it before iteration starts."""
        self.env_steps, self._owed, self.episodes.count = state["env_steps"], state["owed"], state["episodes"]
        own = state["ranks"][self._rank]
        self.replay.load_state_dict(own["replay"], rows=state["replay_saved"])
        if not state["replay_saved"]:
            rows = self._schedule.warmup_env_steps // self._world_size
            self._rows_before_learning = max(1, min(rows, self.replay.capacity))
        self._policy.generators.load_state_dict(own["policy"])


class EpisodeReturns:
    """Undiscounted returns and lengths of the episodes that ended, in several environments at once."""

    def __init__(self) -> None:
        self._running: np.ndarray | None = None
        self.ended: list[tuple[float, int]] = []
        self.count = 0

    def add(self, reward: Tensor, done: Tensor) -> None:
        """Add one step of every environment; `reward` and `done` have shape (N,)."""
        ended = done.numpy()
        if self._running is None:
            self._running = np.zeros((2, len(reward)), np.float32)
        self._running[0] += reward.numpy()
        self._running[1] += 1
        if ended.any():
            for total, length in self._running[:, ended].T.tolist():
                self.ended.append((total, int(length)))
                self.count += 1
            self._running[:, ended] = 0.0

    def pop(self) -> list[tuple[float, int]]:
        """Return the episodes ended since the last call as (return, length)."""
        ended, self.ended = self.ended, []
        return ended
