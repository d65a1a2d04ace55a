"""Flags of Lightning's Trainer: those that act in a run of qtrl, and what to write in place of the others."""

import re
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from qtrl.config.validation.unknown import nearest
from qtrl.errors import ConfigError

ONE_PROCESS, PROCESSES = "auto", "ddp_find_unused_parameters_true"
"""The strategies: that of `trainer=default` and `gpu`, and that of `trainer=ddp`."""
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
"""Circuits, replay and tests are float32; the networks of updates may multiply in fewer bits."""
SHORT = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}
ACTING = (
    *("accelerator", "strategy", "devices", "num_nodes", "precision"),
    *("max_time", "callbacks", "detect_anomaly", "benchmark"),
)
OF_LIGHTNING = ("gradient_clip_val", "gradient_clip_algorithm", "accumulate_grad_batches")
"""What acts where a task of one's own lets Lightning make the steps of its optimizers."""
INSTEAD: Mapping[str, str] = {
    **dict.fromkeys(("max_epochs", "min_epochs", "max_steps", "min_steps", "limit_train_batches"), "total_env_steps"),
    **dict.fromkeys(("val_check_interval", "check_val_every_n_epoch"), "test_every_env_steps"),
    **dict.fromkeys(("limit_val_batches", "limit_test_batches", "limit_predict_batches"), "callbacks.test_episodes"),
    **dict.fromkeys(("fast_dev_run", "overfit_batches", "num_sanity_val_steps", "barebones"), "debug=smoke"),
    **dict.fromkeys(("gradient_clip_val", "gradient_clip_algorithm"), "algo.max_gradient_norm"),
    "accumulate_grad_batches": "data.batch_size",
    "enable_checkpointing": "checkpoint_every_env_steps",
    "deterministic": "deterministic=true, without `trainer.`",
    "default_root_dir": "run_dir",
    "log_every_n_steps": "callbacks.log_every_env_steps",
    "logger": "logger=NAME, without `trainer.`",
}
"""What does in qtrl what a flag does in Lightning."""
IN_EPOCHS: Mapping[str, str] = {
    "total_env_steps": "epochs",
    "test_every_env_steps": "callbacks.validate_every_epochs",
    "checkpoint_every_env_steps": "callbacks.checkpoint_every_epochs",
    "callbacks.log_every_env_steps": "callbacks.log_every_epochs",
    "callbacks.test_episodes": "data.test_share",
}
"""What takes the place of these keys in the config of a run that learns from a table."""
DURATION = re.compile(r"\d+:\d\d:\d\d:\d\d")


def check_trainer(trainer: DictConfig, keys: DictConfig | None = None) -> None:
    """Refuse flags that would have no effect in a run of qtrl or end it early, and what cannot work there.

    `keys` is the whole config: what is to be written instead of a flag is a key of it.

    Raises:
        ConfigError: The first of them, with what to write instead.
    """
    for flag in map(str, trainer):
        if flag not in (*ACTING, *OF_LIGHTNING) and not flag.startswith("_"):
            raise without_effect(flag, trainer[flag], keys)
    precision = trainer.get("precision")
    _check_word("precision", SHORT.get(str(precision), precision), PRECISIONS)
    if not OmegaConf.is_config(strategy := trainer.get("strategy", ONE_PROCESS)):
        _check_word("strategy", strategy or "null", (ONE_PROCESS, PROCESSES))
    for flag in ("detect_anomaly", "benchmark"):
        if trainer.get(flag) not in (None, False, True):
            raise _not_allowed(flag, trainer[flag], "true or false")
    most = trainer.get("max_time")
    if not (most is None or OmegaConf.is_dict(most) or DURATION.fullmatch(str(most))):
        raise _not_allowed("max_time", most, "days:hours:minutes:seconds, as in 00:08:00:00")
    callbacks = trainer.get("callbacks")
    if callbacks is not None and not (OmegaConf.is_list(callbacks) and all(map(_names_a_class, callbacks))):
        raise _not_allowed("callbacks", callbacks, "classes as in [{_target_: my_package.MyCallback}]")


def check_optimization(trainer: Mapping[str, Any], *, automatic: bool) -> None:
    """Refuse what Lightning does with an optimizer's step where the module makes it itself, as of `task=rl`."""
    for flag in OF_LIGHTNING:
        if flag in trainer and not automatic:
            raise without_effect(flag, trainer[flag])


def without_effect(flag: str, value: Any, keys: DictConfig | None = None) -> ConfigError:
    """Return the error for a flag that does nothing in a run with these keys."""
    hint = f"{nearest(flag, ACTING)}flags are {', '.join(ACTING)}"
    if flag in INSTEAD:
        hint = f"write {_instead(flag, keys)}"
    return ConfigError(f"trainer.{flag}={value} has no effect in a run of qtrl: {hint}")


def _instead(flag: str, keys: DictConfig | None) -> str:
    """Return what to write instead of a flag: of two keys the one that the config has."""
    key = INSTEAD[flag]
    if keys is None or key not in IN_EPOCHS or OmegaConf.select(keys, key) is not None:
        return key
    return IN_EPOCHS[key] if OmegaConf.select(keys, IN_EPOCHS[key]) is not None else key


def _names_a_class(node: Any) -> bool:
    return OmegaConf.is_dict(node) and isinstance(node.get("_target_"), str)


def _not_allowed(flag: str, value: Any, expected: str) -> ConfigError:
    return ConfigError(f"trainer.{flag}={value} is not allowed: expected {expected}")


def _check_word(flag: str, value: Any, words: tuple[str, ...]) -> None:
    if value is not None and value not in words:
        raise ConfigError(f"trainer.{flag}={value} does not work in a run of qtrl: choices are {', '.join(words)}")
