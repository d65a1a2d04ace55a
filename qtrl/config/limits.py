"""Limits of the numbers in a config, checked before anything is built from them."""

import math
import reprlib
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from qtrl.config.nested import MISSING
from qtrl.config.trainer_flags import check_trainer
from qtrl.data import STORAGES
from qtrl.envs import VECTORS
from qtrl.errors import ConfigError
from qtrl.keys import EXAMPLE_SCORES, INFO_NAME, LABEL, LABEL_RULE, LEVELS_RULE, are_levels


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`, an integer if `whole`, or also null if `optional`."""

    low: float
    high: float = math.inf
    whole: bool = True
    optional: bool = False

    def check(self, key: str, value: Any) -> Any:
        """Return the value, a whole number as an integer: 1e6 is read as a float, and '1e6' as a text.

        Raises:
            ConfigError: It is out of range or of another kind; says what came and what was expected.
        """
        if value is None and self.optional:
            return None
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, str):
            with suppress(ValueError):
                value = float(value)
        if self.whole and isinstance(value, float) and value.is_integer():
            value = int(value)
        kinds = (int,) if self.whole else (int, float)
        fits = isinstance(value, kinds) and not isinstance(value, bool) and self.low <= value <= self.high
        if not fits or not math.isfinite(value):
            infinite = isinstance(value, float) and math.isinf(value)
            kind = "an integer" if self.whole else "a finite number" if infinite else "a number"
            too_high = isinstance(value, int | float) and value > self.high
            limit = f"at most {_plain(self.high)}" if too_high else f"at least {_plain(self.low)}"
            raise ConfigError(f"{key}={_shown(value)} is not allowed: expected {kind} of {limit}")
        return value


def _plain(number: float) -> str:
    return f"{number:g}" if isinstance(number, float) or number < 10**6 else f"{number:,}"


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 and text.isprintable() else reprlib.repr(value)


COUNT = Number(1)
STEPS = Number(1, 10**12)
FACTOR = Number(0, whole=False)
TINY = 1e-12
WIDTH = 8_192
QUBITS, LAYERS = Number(1, 64), Number(0, 1_000)

NUMBERS = {
    "seed": Number(0, 2**32 - 1),
    "total_env_steps": STEPS,
    "warmup_env_steps": Number(0, 10**12),
    "updates_per_env_step": Number(TINY, 10**6, whole=False),
    "num_envs": Number(1, 4_096),
    "epochs": Number(1, 10**7),
    "test_every_env_steps": STEPS,
    "checkpoint_every_env_steps": STEPS,
    "num_threads": Number(1, 1_024, optional=True),
    "env.max_episode_steps": Number(1, 10**9, optional=True),
    "env.workers": Number(1, 512, optional=True),
    "env.timeout": Number(1, 86_400, whole=False),
    "env.max_restarts": Number(0, 1000),
    "actor.hidden": Number(1, WIDTH),
    "actor.links": Number(0, 10**5),
    "actor.angle_scale": Number(TINY, whole=False),
    "model.hidden": Number(1, WIDTH),
    "model.layers": Number(1, 100),
    "model.links": Number(0, 10**5),
    "model.angle_scale": Number(TINY, whole=False),
    "model.q_out_center": Number(-(10**6), 10**6, whole=False),
    "model.q_out_scale": Number(TINY, whole=False),
    "model.dropout": Number(0, 0.999, whole=False),
    "model.pairs": Number(1, 10**7),
    "critic.hidden": Number(1, WIDTH),
    "critic.bins": Number(2, WIDTH),
    "critic.bound": Number(TINY, whole=False),
    "critic.momentum": Number(0, 1, whole=False),
    "critic.epsilon": Number(TINY, whole=False),
    "actor.q_out_center": Number(-(10**6), 10**6, whole=False),
    "actor.q_out_scale": Number(TINY, whole=False),
    "exploration.noise": FACTOR,
    "exploration.angle_noise": FACTOR,
    "exploration.low": FACTOR,
    "exploration.high": FACTOR,
    "exploration.longest": Number(1, 10**6),
    "exploration.exponent": Number(0, 100, whole=False),
    "algo.gamma": Number(0, 1, whole=False),
    "algo.tau": Number(TINY, 1, whole=False),
    "algo.policy_delay": Number(1, 10**9),
    "algo.target_noise": FACTOR,
    "algo.target_noise_clip": FACTOR,
    "algo.angle_penalty": FACTOR,
    "algo.preactivation_penalty": FACTOR,
    "algo.actor_optimizer.lr": FACTOR,
    "algo.critic_optimizer.lr": FACTOR,
    "algo.surrogate_optimizer.lr": FACTOR,
    "algo.model_optimizer.lr": FACTOR,
    "algo.angle_noise": FACTOR,
    "algo.lr_final": Number(0, 1, whole=False),
    "algo.max_gradient_norm": Number(TINY, whole=False, optional=True),
    "shots": Number(1, 10**7),
    "block.shots": Number(1, 10**7),
    "block.hidden": Number(1, 2 * WIDTH, optional=True),
    "block.readout_error": Number(0, 0.5, whole=False),
    "circuit.n_qubits": QUBITS,
    "circuit.reps": LAYERS,
    "block.circuit.n_qubits": QUBITS,
    "block.circuit.reps": LAYERS,
    "gradient.hidden": Number(1, 2 * WIDTH, optional=True),
    "gradient.window": Number(1, 10**10),
    "gradient.fresh_rows": Number(1, 2**17, optional=True),
    "gradient.fresh_noise": FACTOR,
    "gradient.fit_every_updates": Number(1, 10**9),
    "gradient.fit_batches": Number(1, 10**6),
    "gradient.fit_epochs": Number(1, 10**6),
    "gradient.shots": Number(1, 10**7, optional=True),
    "gradient.step": Number(TINY, whole=False),
    "gradient.repetitions": Number(1, 10**5),
    "data.batch_size": Number(1, 2**17),
    "data.validation_share": Number(TINY, 1, whole=False),
    "data.test_share": Number(TINY, 1, whole=False),
    "data.split_seed": Number(0, 2**32 - 1),
    "data.capacity": Number(1, 10**10),
    "data.sampler.max_capacity": Number(1, 10**8),
    "data.sampler.alpha": FACTOR,
    "data.sampler.beta": FACTOR,
    "data.sampler.slice_len": Number(1, 2**17),
    "data.transform.n_steps": Number(1, 1_000),
    "data.transform.gamma": Number(0, 1, whole=False),
    "dataset.rows": Number(10, 10**7),
    "dataset.noise": FACTOR,
    "dataset.seed": Number(0, 2**32 - 1),
    "callbacks.validate_every_epochs": Number(1, 10**7),
    "callbacks.checkpoint_every_epochs": Number(1, 10**7),
    "callbacks.log_every_epochs": Number(1, 10**7),
    "callbacks.test_episodes": Number(1, 10**6),
    "callbacks.final_test_episodes": Number(1, 10**6, optional=True),
    "callbacks.test_max_episode_steps": Number(1, 10**9, optional=True),
    "callbacks.test_envs": Number(0, 4_096),
    "callbacks.log_every_env_steps": STEPS,
    "callbacks.probe_every_env_steps": Number(1, 10**12, optional=True),
    "callbacks.probe_rows": Number(2, 10**5),
}
"""Limits by key; a key that a choice of groups does not have is not looked at.

The upper ones lie far above any use, and below what would fill a machine's memory or start processes without end."""
OWN_KWARGS = {
    "max_episode_steps": "it is env.max_episode_steps",
    "render_mode": "frames are rendered where a video is asked for",
    "disable_env_checker": "the environment is always checked",
    "id": "it is env.id",
}
"""Arguments of Gymnasium's `make` that are no argument of the environment, and what to do instead."""
WRAPPERS = "classes as in [{_target_: gymnasium.wrappers.ClipReward, max_reward: 1}]"
MAX_WEIGHTS = 2**28
"""Of one layer: 1 GiB."""
MAX_GATES = 10**6
MOST_INFO = 100
LONGEST_TAG = 64
"""What W&B takes."""

CHOICES = {
    "checkpoint_replay": ("last", "none"),
    "deterministic": (False, True),
    "optimized_metric": ("test/return_mean", "test/best_return", *EXAMPLE_SCORES),
    "normalize": (None, "running"),
    "actor.angle_bound": (None, "tanh", "norm"),
    "model.angle_bound": (None, "tanh", "norm"),
    "actor.bounded_links": (False, True),
    "gradient.linear": (False, True),
    "gradient.centered": (False, True),
    "critic.reward_scale": (False, True),
    "matmul_precision": ("highest", "high", "medium"),
    "data.storage": tuple(STORAGES),
    "algo.cuda_graphs": (False, True),
    "algo.lr_decay": (None, "linear", "cosine"),
    "algo.compile_mode": (None, "default", "reduce-overhead", "max-autotune"),
    "env.vector": tuple(VECTORS),
    "data.overlap": (False, True),
    "data.collector": ("in_process", "processes"),
}
"""Words by key, as above."""


def check_config(cfg: DictConfig) -> None:
    """Check the numbers and words of a config, and write whole numbers as integers.

    Raises:
        ConfigError: The first that is missing or not allowed.
    """
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise ConfigError(f"{missing[0]}=??? is not allowed: expected a value")
    for key, number in NUMBERS.items():
        value = OmegaConf.select(cfg, key, default=MISSING)
        if value is not MISSING and type(checked := number.check(key, value)) is not type(value):
            OmegaConf.update(cfg, key, checked)
    for key, words in CHOICES.items():
        word = OmegaConf.select(cfg, key, default=words[0])
        if word not in words:
            choices = ", ".join("null" if choice is None else str(choice).lower() for choice in words)
            raise ConfigError(f"{key}={_shown(word)} is unknown: choices are {choices}")
    _check_texts(cfg)
    _check_levels(OmegaConf.select(cfg, "env.levels"))
    _check_log_info(OmegaConf.select(cfg, "callbacks.log_info"))
    _check_env(cfg)
    _check_sizes(cfg)
    check_trainer(cfg.trainer, cfg)
    _check_scaling(cfg)


def _check_texts(cfg: DictConfig) -> None:
    """Check what names a run; a number is the text of its digits. A run folder of an earlier version lacks some."""
    for key in ("label", "study"):
        if type(cfg.get(key)) is int:
            cfg[key] = str(cfg[key])
    label, study, tags = (cfg.get(key) for key in ("label", "study", "tags"))
    if label is not None and not (isinstance(label, str) and LABEL.fullmatch(label)):
        raise ConfigError(f"label={_shown(label)} is not allowed: expected {LABEL_RULE}")
    if not isinstance(study, str | None):
        raise ConfigError(f"study={_shown(study)} is not allowed: expected a text, or null")
    listed = OmegaConf.is_list(tags) and all(isinstance(tag, str) and 0 < len(tag) <= LONGEST_TAG for tag in tags)
    if tags is not None and not listed:
        expected = f"texts of up to {LONGEST_TAG} characters, as in tags=[first,second]"
        raise ConfigError(f"tags={_shown(tags)} is not allowed: expected {expected}")


def _check_levels(levels: Any) -> None:
    """Refuse levels that are no list of numbers in rising order."""
    levels = OmegaConf.to_container(levels) if OmegaConf.is_list(levels) else levels
    if levels is not None and not are_levels(levels):
        raise ConfigError(f"env.levels={_shown(levels)} is not allowed: expected {LEVELS_RULE}, or null")


def _check_log_info(names: Any) -> None:
    names = OmegaConf.to_container(names) if OmegaConf.is_list(names) else names
    good = isinstance(names, list) and all(isinstance(name, str) and INFO_NAME.fullmatch(name) for name in names)
    if names is not None and not (good and len({*names}) == len(names) <= MOST_INFO):
        expected = f"at most {MOST_INFO} names of what env.step puts into its info, as in [is_success,x_velocity]"
        raise ConfigError(f"callbacks.log_info={_shown(names)} is not allowed: expected {expected}")


def _check_env(cfg: DictConfig) -> None:
    """Refuse arguments of the environment that have keys of their own, and wrappers that are none."""
    kwargs, wrappers = (OmegaConf.select(cfg, f"env.{key}") for key in ("kwargs", "wrappers"))
    if kwargs is not None and not OmegaConf.is_dict(kwargs):
        raise ConfigError(f"env.kwargs={_shown(kwargs)} is not allowed: expected arguments as in {{gravity: 5.0}}")
    for key, instead in OWN_KWARGS.items():
        if kwargs is not None and key in kwargs:
            raise ConfigError(f"env.kwargs.{key} is not allowed: {instead}")
    if wrappers is not None and not OmegaConf.is_list(wrappers):
        raise ConfigError(f"env.wrappers={_shown(wrappers)} is not allowed: expected {WRAPPERS}")
    for number, wrapper in enumerate(wrappers or ()):
        if not OmegaConf.is_dict(wrapper) or not isinstance(wrapper.get("_target_"), str):
            raise ConfigError(f"env.wrappers[{number}]={_shown(wrapper)} is not allowed: expected {WRAPPERS}")


def _check_sizes(cfg: DictConfig) -> None:
    """Refuse a circuit or a layer that would not fit, although each of its sizes is allowed."""
    angles = 0
    for key in ("circuit", "block.circuit"):
        node = OmegaConf.select(cfg, key)
        if not OmegaConf.is_dict(node):
            continue  # a block without a circuit; whatever else it is, the block refuses
        n_qubits, rotations = node.get("n_qubits", 1), node.get("rotations")
        rotations = len(rotations) if OmegaConf.is_list(rotations) else 0
        columns = node.get("reps", 0) + 1
        if columns * n_qubits * (rotations + n_qubits) > MAX_GATES:
            raise ConfigError(f"{key}.reps={node.get('reps')} is not allowed: the circuit has over {MAX_GATES:,} gates")
        angles = max(angles, columns * n_qubits * rotations)
    links = max(OmegaConf.select(cfg, f"{key}.links") or 0 for key in ("actor", "model"))
    for key in ("actor.hidden", "model.hidden", "gradient.hidden", "block.hidden"):
        width = OmegaConf.select(cfg, key) or 0
        if width * (angles + links) > MAX_WEIGHTS:
            inputs = f"{angles:,} angles and {links:,} links"
            raise ConfigError(f"{key}={width} is not allowed: with {inputs} it has over {MAX_WEIGHTS:,} weights")


def _check_scaling(cfg: DictConfig) -> None:
    """Refuse ranks that a CPU cannot have, whose number Lightning takes as text too, and to limit scaled gradients."""
    devices, accelerator, precision = (cfg.trainer.get(key) for key in ("devices", "accelerator", "precision"))
    devices = int(devices) if str(devices).isdecimal() else devices
    if "devices" in cfg.trainer and ((accelerator == "cpu" and devices != "auto") or isinstance(devices, int)):
        low = -1 if accelerator != "cpu" and devices == -1 else 1  # all there are
        cfg.trainer.devices = Number(low, 256).check("trainer.devices", devices)
    if cfg.algo.get("max_gradient_norm") is not None and str(precision).startswith("16"):
        hint = "set it to null, or the precision to bf16-mixed or 32-true"
        scaled = f"trainer.precision={precision}, whose gradients are scaled"
        raise ConfigError(f"algo.max_gradient_norm does not go with {scaled}: {hint}")
