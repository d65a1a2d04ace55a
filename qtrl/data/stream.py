"""The path of the data: collect, extend the replay, yield minibatches; Lightning's `fit` consumes it."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from tensordict import TensorDict
from torch import Tensor

from qtrl.data.collection_stats import CollectionStats
from qtrl.data.collector import Collector
from qtrl.data.pace import Pace
from qtrl.data.policy import CollectingPolicy
from qtrl.data.replay import Replay
from qtrl.data.returns.discounted_returns import DiscountedReturns
from qtrl.data.schedule import Schedule
from qtrl.errors import QtrlError
from qtrl.keys import DONE, EPISODE, LOST, OBSERVATION, REWARD, STEP
from qtrl.meters import RunMeters
from qtrl.process.ranks import from_all_ranks
from qtrl.process.stopping import Stop
from qtrl.specs import Batch


class Stream:
    """One generator: step the environments, extend the replay, yield the updates that are owed.

    Every rank steps as many environments and yields as many minibatches as every other.

    An action is chosen with the weights after all updates that are owed for the step before. With `overlap` it is
    chosen one turn earlier, before those updates, and the environments step while they are made.

    What a checkpoint holds of it goes on bit for bit: random states, counters, the replay, and the environments in the
    middle of their episodes. An environment that cannot be brought back to where it was begins a new episode, which is
    said.

    Args:
        make_collector: Makes the collector with its environments; called when iteration starts, with the env steps
            already made, so that an environment that cannot go on does not meet the same start states again, and with
            the state of the collector to go on from, if there is one.
        policy: Chooses actions and records q_in and q_out.
        replay: Receives the transitions and gives the minibatches.
        schedule: When to act at random, when to learn, when to end.
        meters: Where time and circuits are booked.
        rank: This process's rank.
        world_size: Number of ranks.
        save_replay: Whether a checkpoint brings the replay's rows with it. Without them a resumed run first collects as
            many rows as warm-up does, with its own policy.
        overlap: Whether environments step while updates are made.
        recent_rows: Newest rows of the replay of which each minibatch brings some, see `Batch.recent`; 0 for none.
        observe: Called with the observations (N, O) that transitions began with, when they are collected.
        returns: Given the rewards that are collected, of one env step each, whatever a row of the replay spans; None
            where nothing is scaled by them.
        stop: Looked at wherever a run can end and go on later.
        log_info: Names of the numbers in `Collector.info`.
    """

    def __init__(
        self,
        make_collector: Callable[[int, dict[str, Any] | None], Collector],
        policy: CollectingPolicy,
        replay: Replay,
        *,
        schedule: Schedule,
        meters: RunMeters,
        rank: int = 0,
        world_size: int = 1,
        save_replay: bool = True,
        overlap: bool = False,
        recent_rows: int = 0,
        observe: Callable[[Tensor], None] | None = None,
        returns: DiscountedReturns | None = None,
        stop: Stop | None = None,
        log_info: Sequence[str] = (),
    ) -> None:
        self._make_collector, self._overlap, self._recent_rows = make_collector, overlap, recent_rows
        self._observe, self._returns = observe or (lambda _: None), returns
        self._policy, self.replay = policy, replay
        self._schedule, self._meters = schedule, meters
        self._rank, self._world_size, self._save_replay = rank, world_size, save_replay
        self._stop = stop or Stop()
        self.env_steps = 0
        self.stats = CollectionStats(log_info)
        """What was counted so far, on this rank."""
        self._listeners: list[Callable[[int], None]] = []
        self.begun = False
        """Whether iteration has started."""
        self._pace = Pace(schedule)
        self._collector: Collector | None = None
        self._collector_state: dict[str, Any] | None = None

    def __len__(self) -> int:
        """Give a number that is never reached.

        Without one Lightning looks a minibatch ahead, and at a lower one it would end the run: environments side by
        side overshoot the schedule, and a resumed run may have another.
        """
        return 10**12

    def __iter__(self) -> Iterator[Batch]:
        self.begun = True
        self._collector = collector = self._make_collector(self.env_steps, self._collector_state)
        try:
            self._say_discontinued(collector)
            yield from self._run(collector.num_envs * self._world_size)
        finally:
            self._collector_state = self._state_of_collector()
            last, self._collector = self._collector, None
            if last is not None:
                last.close()

    @contextmanager
    def released(self) -> Iterator[None]:
        """Let no environment exist in the `with` block; afterwards new ones begin new episodes.

        Episodes under way are dropped, and no step may be under way. Outside iteration it does nothing.
        """
        last, self._collector = self._collector, None
        if last is None:
            yield
            return
        last.close()
        self._drop_episodes(np.ones(last.num_envs, np.bool_))
        try:
            yield
        finally:
            self._collector = self._make_collector(self.env_steps, None)

    def _run(self, steps: int) -> Iterator[Batch]:
        """Collect and learn; one turn of all environments of all ranks makes so many env steps."""
        stopwatch = self._meters.stopwatch
        while self._pace.update_is_due or self.env_steps < self._schedule.total_env_steps:
            learns = self.env_steps >= self._pace.learn_from
            with stopwatch.section("learning" if learns else "warmup"):
                if not self._pace.update_is_due:  # else a run goes on that stopped between two updates
                    self._stop.check()
                    self._collect()
                    self._pace.collected(steps if learns else 0)
                while self._pace.update_is_due:
                    self._pace.updated()
                    with stopwatch.section("replay"):
                        batch = self._sample()
                    yield batch
                    self._stop.check()

    def _sample(self) -> Batch:
        rows = self.replay.sample()
        recent = self.replay.sample_recent(self._recent_rows) if self._recent_rows else None
        progress = self.env_steps / self._schedule.total_env_steps
        return Batch(rows, self.env_steps, self.replay.priorities_of(rows), recent, progress)

    def _collect(self) -> None:
        """Add a row of every environment to the replay; with `overlap` let the environments go on."""
        collector = self._collector
        assert collector is not None
        if not collector.begun:
            self._prepare(collector)
        with self._stepping():
            rows = collector.collect()
        self.stats.env_errors += int(collector.errors.sum())
        self._keep(rows, collector.lost)
        self.stats.info.add(collector.info, rows[DONE].reshape(-1).numpy() & ~collector.lost)
        self.env_steps += collector.num_envs * self._world_size
        for listener in self._listeners:
            listener(self.env_steps)
        if self._overlap:  # at the end as well: the run may be gone on with
            self._prepare(collector)
            with self._stepping():
                collector.begin()

    def _prepare(self, collector: Collector) -> None:
        """Let the policy act as it is to act in the next step, and book its circuits."""
        self._policy.random_actions = self.env_steps < self._schedule.warmup_env_steps
        self._policy.refresh()
        self._meters.ledger.add("collect", self._policy.layers.block_cost(collector.num_envs))

    def _keep(self, rows: TensorDict, lost: np.ndarray) -> None:
        """Add rows (N,) to the replay and to the running episodes, but for those that the mask `lost` (N,) names."""
        reward, done = rows[REWARD].reshape(-1), rows[DONE].reshape(-1)
        rows[LOST] = torch.from_numpy(lost)[:, None]
        rows[EPISODE], rows[STEP] = self.stats.episodes.positions(len(lost))
        kept = torch.from_numpy(~lost)
        reward = reward * kept
        self.stats.add(reward, done, lost)
        self._observe(rows[OBSERVATION][kept])
        if self._returns is not None:
            self._returns.add(reward, done, kept)
        with self._meters.stopwatch.section("replay"):
            self.replay.extend(rows)

    @contextmanager
    def _stepping(self) -> Iterator[None]:
        """Book the time of the `with` block on the environments, but for that of the policy, and that of circuits."""
        stopwatch = self._meters.stopwatch
        policy_before = stopwatch.seconds["policy"]
        with stopwatch.section("env"), self._meters.ledger.timed("collect", self._policy.layers):
            yield
        stopwatch.seconds["env"] -= stopwatch.seconds["policy"] - policy_before

    def listen(self, listener: Callable[[int], None]) -> None:
        """Call `listener` with `env_steps` after every collected step, warm-up included."""
        self._listeners.append(listener)

    def status(self) -> str:
        """Describe the newest episode for the progress bar; empty before the first has ended."""
        newest = self.stats.episodes.newest
        return f"return {newest:.0f}" if newest is not None else ""

    def commit(self) -> None:
        """Bring the replay onto the disk, for a checkpoint that is about to be written."""
        if self._save_replay:
            self.replay.commit()

    def state_dict(self) -> dict[str, object]:
        """Return counters, and of every rank random states, environments and running episodes."""
        state = self._state_of_collector()
        run = {"env_steps": self.env_steps, "owed": self._pace.owed, "replay_saved": self._save_replay}
        own = {
            "replay": self.replay.state_dict(),
            "policy": self._policy.generators.state_dict(),
            "collector": state,
            **self.stats.state_dict(),
        }
        if self._returns is not None:
            own["returns"] = self._returns.state_dict()
        if (exploration := self._policy.state_of_exploration()) is not None:
            own["exploration"] = exploration
        return {**run, "ranks": from_all_ranks(own)}

    def _state_of_collector(self) -> dict[str, Any] | None:
        """Return the collector's state, the last one where none is at work, None where it is beyond reach."""
        if self._collector is None:
            return self._collector_state
        try:
            return self._collector.state_dict()
        except QtrlError:  # environments that failed: the run is about to end for that reason
            return None

    def load_state_dict(self, state: dict) -> None:
        """Take back what `state_dict` returned; Lightning calls it before iteration starts."""
        own, saved = state["ranks"][self._rank], state["replay_saved"] and self._save_replay
        self.env_steps, self._pace.owed = state["env_steps"], state["owed"]
        self.replay.load_state_dict(own["replay"], rows=saved)
        if not saved:
            self._refill()
        self._policy.generators.load_state_dict(own["policy"])
        self._policy.load_state_of_exploration(own.get("exploration"))
        self._collector_state = own["collector"]
        self.stats.load_state_dict(own)
        if self._returns is not None and "returns" in own:  # else the run begins to scale rewards
            self._returns.load_state_dict(own["returns"])

    def _refill(self) -> None:
        """Begin with an empty replay: collect as many env steps as in warm-up before learning goes on."""
        first = self.env_steps
        self._pace.refill(first, self.replay.capacity * self._world_size)
        if self._rank == 0 and first < self._schedule.total_env_steps:
            until = self._pace.learn_from
            line = f"qtrl: the replay was not saved: env steps {first} to {until} go into filling a new one"
            print(line, file=sys.stderr, flush=True)

    def _drop_episodes(self, environments: np.ndarray) -> None:
        """Let the episodes under way in the environments of a mask, shape (N,), count for nothing that ends later."""
        self.stats.episodes.forget(environments)
        if self._returns is not None:
            self._returns.forget(torch.from_numpy(environments))
        self.replay.interrupt(environments)

    def _say_discontinued(self, collector: Collector) -> None:
        """Name the environments that begin a new episode although they were in the middle of one."""
        discontinued = collector.discontinued
        if discontinued.any():
            if not collector.begun:  # else the step under way ends the old episode
                self._drop_episodes(discontinued)
            numbers = ", ".join(str(number) for number in np.flatnonzero(discontinued))
            line = f"qtrl: rank {self._rank} cannot bring environments {numbers} back into their episodes:"
            line += " they begin new ones, so the run is not bit for bit the one without a break"
            print(line, file=sys.stderr, flush=True)
