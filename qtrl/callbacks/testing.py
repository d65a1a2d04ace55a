"""Noise-free test episodes with the real block, on the same start seeds every time."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from qtrl.callbacks.levels import Levels, Spent
from qtrl.callbacks.noise_free import NoiseFreePolicy
from qtrl.callbacks.periodic import Periodic
from qtrl.callbacks.protocols import ReplayStream, RLLearner, source_of
from qtrl.callbacks.results import TestHistory, TestResult
from qtrl.envs import EndlessNotice, Episodes, run_episodes
from qtrl.nn import quantum_layers
from qtrl.process.stopping import Stop
from qtrl.process.threads import one_thread

TEST_SEED_OFFSET = 10_000
"""Test episode i starts from `reset(seed=TEST_SEED_OFFSET + i)` in every run: runs are compared on the same starts."""


def test_seeds(episodes: int, first: int = TEST_SEED_OFFSET) -> Sequence[int]:
    """Return the start seeds of `episodes` test episodes."""
    return range(first, first + episodes)


def play(
    actor: nn.Module,
    env_id: str,
    seeds: Sequence[int],
    *,
    shots_seed: int,
    before_step: Callable[[], None] = lambda: None,
    policy: NoiseFreePolicy | None = None,
    **options: Any,
) -> Episodes:
    """Play test episodes with an actor and its real blocks.

    Args:
        actor: Acts without noise, on its own device.
        env_id: The environment.
        seeds: One start seed for each episode.
        shots_seed: Seeds the block's random draws, so that a test can be repeated.
        before_step: Called before every env step; what it raises ends the test.
        policy: Of the actor; None for a new one.
        options: Passed on to `qtrl.envs.run_episodes`.
    """
    answer = policy or NoiseFreePolicy(actor)
    answer.seed(shots_seed)

    def act(observation: Tensor) -> Tensor:
        before_step()
        return answer(observation)

    with torch.no_grad(), one_thread():
        return run_episodes(env_id, act, seeds, **options)


class Testing(TestHistory, Periodic):
    """Test the actor every so many env steps, and at the end; it is the history of its tests.

    Args:
        env_id: The environment.
        episodes: Episodes of one test.
        every_env_steps: Interval between tests.
        final_episodes: Episodes of the test at the end; None for as many as of the others.
        seed: Seeds the block's random draws.
        cut_after: Env steps after which a test episode is cut; None to let it end where those of training do.
        test_envs: Most environments of a test at the same time; 0 for one that exists while those of training do not.
        endless: Told of episodes that do not end.
        options: Of the environment, as of `qtrl.envs.make_env`.
        levels: Mean returns of a test; what the run had spent when it first reached each goes into the summary.
        stop: Looked at during a test, which is made anew when the run goes on.
        log_info: Keys of `info` that become metrics.
        cuda_graphs: Whether the actor is replayed as CUDA graphs where the updates are.
    """

    def __init__(
        self,
        env_id: str,
        *,
        episodes: int,
        every_env_steps: int,
        seed: int,
        final_episodes: int | None = None,
        cut_after: int | None = None,
        test_envs: int = 10,
        endless: EndlessNotice | None = None,
        options: Mapping[str, Any] | None = None,
        levels: Sequence[float] = (),
        stop: Stop | None = None,
        log_info: Sequence[str] = (),
        cuda_graphs: bool = False,
    ) -> None:
        TestHistory.__init__(self)
        Periodic.__init__(self, every_env_steps)
        self._env_id, self._seeds, self._seed = env_id, test_seeds(episodes), seed
        self._final_seeds = test_seeds(final_episodes or episodes)
        self._cut_after, self._endless, self._stop = cut_after, endless, stop or Stop()
        self._released = test_envs == 0
        fixed = {"envs_at_once": max(1, test_envs), "cut_after": cut_after, "log_info": log_info}
        self._options = {**(options or {}), **fixed}
        self._cut = ""
        self._ended_before: tuple[int, float] = (0, 0.0)
        self._levels = Levels(levels)
        self._cuda_graphs = cuda_graphs
        self._policy: NoiseFreePolicy | None = None

    def on_train_start(self, trainer: Trainer, pl_module: RLLearner) -> None:  # type: ignore[override]
        """Begin to count at the last test; make the one in which the run was stopped."""
        self.interval.start(self.last.env_steps if self.last else 0)
        if pl_module.updates and self.interval.due(pl_module.env_steps):
            self._test(trainer, pl_module, self._seeds)

    def measure(self, trainer: Trainer, module: RLLearner) -> None:
        """Test as during training."""
        self._test(trainer, module, self._seeds)

    def on_train_end(self, trainer: Trainer, pl_module: RLLearner) -> None:  # type: ignore[override]
        """Test the final actor, unless that was just done with as many episodes."""
        last = self.last
        if last is None or (last.env_steps, len(last.returns)) != (pl_module.env_steps, len(self._final_seeds)):
            self._test(trainer, pl_module, self._final_seeds)

    def _test(self, trainer: Trainer, module: RLLearner, seeds: Sequence[int]) -> None:
        """Play on rank 0, tell all ranks."""
        result: TestResult | None = None
        spent = _spent(trainer, module)
        if trainer.is_global_zero:
            layers, meters = quantum_layers(module.actor), module.meters
            released = source_of(trainer).released() if self._released else nullcontext()
            with released, meters.stopwatch.section("test"), meters.ledger.timed("test", layers):
                played = play(
                    module.actor,
                    self._env_id,
                    seeds,
                    shots_seed=self._seed,
                    before_step=self._stop.check_alone,
                    policy=self._policy_of(module),
                    **self._options,
                )
            self._note_cut(played)
            meters.ledger.add("test", layers.block_cost(played.env_steps))
            result = TestResult(module.env_steps, played.returns, played.lengths, dict(played.info))
        result = trainer.strategy.broadcast(result)
        assert result is not None
        self.add(result)
        if len(seeds) == len(self._seeds):  # a longer test at the end has more starts
            self._levels.add(result.return_mean, spent)
        if trainer.is_global_zero:
            self._log(trainer, module, result)

    def _policy_of(self, module: RLLearner) -> NoiseFreePolicy | None:
        """Return what keeps graphs from test to test, None where there are none."""
        if self._cuda_graphs and getattr(module, "cuda_graphs", False):
            self._policy = self._policy or NoiseFreePolicy(module.actor, cuda_graphs=True)
        return self._policy

    def _note_cut(self, played: Episodes) -> None:
        """Say of an environment without a time limit that episodes were cut; keep it to the end for a cut asked for."""
        longest = f"{max(played.lengths):,} env steps"
        if played.cut and self._cut_after is None and self._endless is not None:
            self._endless.tell(f"{played.cut} of {len(played.lengths)} test episodes were cut after {longest}")
        elif played.cut:
            self._cut = f"test episodes were cut after {longest} (callbacks.test_max_episode_steps), before they ended"

    def conclusions(self) -> Sequence[str]:
        """Say that tests were shorter than training, where they were."""
        return [self._cut] if self._cut else []

    def _log(self, trainer: Trainer, module: RLLearner, result: TestResult) -> None:
        row: dict[str, float] = {
            "env_steps": result.env_steps,
            "updates": module.updates,
            "test/return_mean": result.return_mean,
            "test/return_std": result.return_std,
            "test/episode_length": statistics.fmean(result.lengths),
            "test/best_return": self.score("test/best_return"),
            "test/last_ten_return": self.recent_mean,
        }
        row |= {f"test/info/{name}": value for name, value in result.info.items()}
        trained = self._training_return(trainer)
        if trained is not None:
            row["test/gap"] = trained - result.return_mean
        for logger in trainer.loggers:
            logger.log_metrics(row)

    def _training_return(self, trainer: Trainer) -> float | None:
        """Return the mean return of the training episodes that ended since the test before."""
        stream: ReplayStream = source_of(trainer)
        before, self._ended_before = self._ended_before, (stream.stats.episodes.count, stream.stats.episodes.total)
        count, total = (now - then for now, then in zip(self._ended_before, before, strict=True))
        return total / count if count else None

    def summary(self) -> dict[str, Any]:
        """Return what `summary.json` says of the tests, and of the levels that they reached."""
        return super().summary() | self._levels.summary()

    def state_dict(self) -> dict[str, Any]:
        """Return the results as plain data; from the last follows when the next test is due."""
        return super().state_dict() | {"ended_before": list(self._ended_before)} | self._levels.summary()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned; a run of an earlier version knew no levels."""
        super().load_state_dict(state_dict)
        self._ended_before = tuple(state_dict["ended_before"])
        self._levels.load(state_dict.get("time_to_level", {}))


def _spent(trainer: Trainer, module: RLLearner) -> Spent:
    meters, per_update = module.meters, module.meters.flops.gflop_per_update
    gflop = None if per_update is None else per_update * module.updates * trainer.world_size
    return Spent(module.env_steps, module.updates, gflop, meters.wall_seconds())
