"""Checks of a config's values, made before anything is built from them."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from qtrl.config.nested import MISSING
from qtrl.config.validation.limits import CHOICES, NUMBERS
from qtrl.config.validation.number import Number, printed
from qtrl.config.validation.trainer_flags import check_trainer
from qtrl.errors import ConfigError
from qtrl.keys import INFO_NAME, LABEL, LABEL_RULE, LEVELS_RULE, are_levels

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
            raise ConfigError(f"{key}={printed(word)} is unknown: choices are {choices}")
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
        raise ConfigError(f"label={printed(label)} is not allowed: expected {LABEL_RULE}")
    if not isinstance(study, str | None):
        raise ConfigError(f"study={printed(study)} is not allowed: expected a text, or null")
    listed = OmegaConf.is_list(tags) and all(isinstance(tag, str) and 0 < len(tag) <= LONGEST_TAG for tag in tags)
    if tags is not None and not listed:
        expected = f"texts of up to {LONGEST_TAG} characters, as in tags=[first,second]"
        raise ConfigError(f"tags={printed(tags)} is not allowed: expected {expected}")


def _check_levels(levels: Any) -> None:
    """Refuse levels that are no list of numbers in rising order."""
    levels = OmegaConf.to_container(levels) if OmegaConf.is_list(levels) else levels
    if levels is not None and not are_levels(levels):
        raise ConfigError(f"env.levels={printed(levels)} is not allowed: expected {LEVELS_RULE}, or null")


def _check_log_info(names: Any) -> None:
    names = OmegaConf.to_container(names) if OmegaConf.is_list(names) else names
    good = isinstance(names, list) and all(isinstance(name, str) and INFO_NAME.fullmatch(name) for name in names)
    if names is not None and not (good and len({*names}) == len(names) <= MOST_INFO):
        expected = f"at most {MOST_INFO} names of what env.step puts into its info, as in [is_success,x_velocity]"
        raise ConfigError(f"callbacks.log_info={printed(names)} is not allowed: expected {expected}")


def _check_env(cfg: DictConfig) -> None:
    """Refuse arguments of the environment that have keys of their own, and wrappers that are none."""
    kwargs, wrappers = (OmegaConf.select(cfg, f"env.{key}") for key in ("kwargs", "wrappers"))
    if kwargs is not None and not OmegaConf.is_dict(kwargs):
        raise ConfigError(f"env.kwargs={printed(kwargs)} is not allowed: expected arguments as in {{gravity: 5.0}}")
    for key, instead in OWN_KWARGS.items():
        if kwargs is not None and key in kwargs:
            raise ConfigError(f"env.kwargs.{key} is not allowed: {instead}")
    if wrappers is not None and not OmegaConf.is_list(wrappers):
        raise ConfigError(f"env.wrappers={printed(wrappers)} is not allowed: expected {WRAPPERS}")
    for number, wrapper in enumerate(wrappers or ()):
        if not OmegaConf.is_dict(wrapper) or not isinstance(wrapper.get("_target_"), str):
            raise ConfigError(f"env.wrappers[{number}]={printed(wrapper)} is not allowed: expected {WRAPPERS}")


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
