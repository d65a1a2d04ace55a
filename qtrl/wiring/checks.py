"""What the numbers of a config may be, said before anything is built from them."""

import math
from dataclasses import dataclass

from omegaconf import DictConfig, OmegaConf

from qtrl.data import COLLECTORS, Schedule, check_collector
from qtrl.envs import VECTORS
from qtrl.errors import ConfigError
from qtrl.wiring import matmul


@dataclass(frozen=True)
class Number:
    """A number between two limits, both allowed.

    Attributes:
        low: The smallest.
        high: The largest.
        whole: Whether it must be an integer.
        optional: Whether null is allowed.
    """

    low: float
    high: float = math.inf
    whole: bool = True
    optional: bool = False

    def check(self, key: str, value: object) -> None:
        """Raise a ConfigError that says what came and what was expected."""
        if value is None and self.optional:
            return
        kinds = (int,) if self.whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not self.low <= value <= self.high:
            kind = "an integer" if self.whole else "a number"
            limits = f"at least {self.low:g}" if self.high == math.inf else f"from {self.low:g} to {self.high:g}"
            raise ConfigError(f"{key}={value} is not allowed: expected {kind} of {limits}")


COUNT = Number(1)
FACTOR = Number(0, whole=False)
TINY = 1e-12

NUMBERS = {
    "seed": Number(0, 2**32 - 1),
    "total_env_steps": COUNT,
    "warmup_env_steps": Number(0),
    "updates_per_env_step": Number(TINY, whole=False),
    "num_envs": COUNT,
    "test_every_env_steps": COUNT,
    "checkpoint_every_env_steps": COUNT,
    "num_threads": Number(1, optional=True),
    "env.max_episode_steps": Number(1, optional=True),
    "env.workers": Number(1, optional=True),
    "algo.hidden": COUNT,
    "algo.links": Number(0),
    "algo.gamma": Number(0, 1, whole=False),
    "algo.tau": Number(TINY, 1, whole=False),
    "algo.policy_delay": COUNT,
    "algo.exploration_noise": FACTOR,
    "algo.target_noise": FACTOR,
    "algo.target_noise_clip": FACTOR,
    "algo.actor_optimizer.lr": FACTOR,
    "algo.critic_optimizer.lr": FACTOR,
    "algo.surrogate_optimizer.lr": FACTOR,
    "block.angle_scale": Number(TINY, whole=False),
    "block.shots": COUNT,
    "block.readout_error": Number(0, 0.5, whole=False),
    "circuit.n_qubits": COUNT,
    "circuit.reps": Number(0),
    "surrogate.hidden": Number(1, optional=True),
    "surrogate.fit_every_updates": COUNT,
    "surrogate.fit_batches": COUNT,
    "surrogate.fit_epochs": COUNT,
    "surrogate.shots": Number(1, optional=True),
    "surrogate.step": Number(TINY, whole=False),
    "surrogate.repetitions": COUNT,
    "data.batch_size": COUNT,
    "data.capacity": COUNT,
    "callbacks.test_episodes": COUNT,
    "callbacks.test_max_episode_steps": Number(1, optional=True),
    "callbacks.log_every_env_steps": COUNT,
    "callbacks.probe_every_env_steps": Number(1, optional=True),
    "callbacks.probe_rows": Number(2),
}
"""Limits by key; a key that a choice of groups does not have is not looked at."""

CHOICES = {
    "checkpoint_replay": ("last", "none"),
    "optimized_metric": ("test/return_mean", "test/best_return"),
    "matmul_precision": matmul.CHOICES,
    "algo.compile_mode": (None, "default", "reduce-overhead", "max-autotune"),
    "env.vector": tuple(VECTORS),
    "data.overlap": (False, True),
    "data.collector": tuple(COLLECTORS),
}
"""Words by key, as above."""

MISSING = object()


def check_config(cfg: DictConfig) -> None:
    """Check the numbers and words of a config.

    Raises:
        ConfigError: The first one that is out of range, or a warm-up that is not shorter than the run.
    """
    for key, number in NUMBERS.items():
        value = OmegaConf.select(cfg, key, default=MISSING)
        if value is not MISSING:
            number.check(key, value)
    for key, words in CHOICES.items():
        word = OmegaConf.select(cfg, key, default=words[0])
        if word not in words:
            choices = ", ".join("null" if choice is None else str(choice).lower() for choice in words)
            raise ConfigError(f"{key}={word} is unknown: choices are {choices}")
    _check_overlap(cfg)
    Schedule(cfg.total_env_steps, cfg.warmup_env_steps, cfg.updates_per_env_step)


def _check_overlap(cfg: DictConfig) -> None:
    """Refuse overlap where nothing would overlap; a run folder of an earlier version has none of these keys."""
    overlap, vector = cfg.data.get("overlap", False), cfg.env.get("vector", "serial")
    check_collector(cfg.data.get("collector", "direct"), overlap=overlap)
    if overlap and not VECTORS[vector].steps_beside:
        others = " or ".join(name for name, kind in VECTORS.items() if kind.steps_beside)
        raise ConfigError(f"data.overlap=true needs environments beside the learner: set env.vector={others}")
