"""Flags of Lightning's Trainer: those that act in a run of qtrl, and what to write in place of the others."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

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


def check_trainer(trainer: DictConfig) -> None:
    """Refuse flags that would have no effect in a run of qtrl or end it early, and what cannot work there.

    Raises:
        ConfigError: The first of them, with what to write instead.
    """
    for flag in map(str, trainer):
        if flag not in ACTING and not flag.startswith("_"):
            hint = f"write {INSTEAD[flag]}" if flag in INSTEAD else f"those that have are {', '.join(ACTING)}"
            raise ConfigError(f"trainer.{flag}={trainer[flag]} has no effect in a run of qtrl: {hint}")
    precision = trainer.get("precision")
    _check_word("precision", SHORT.get(str(precision), precision), PRECISIONS)
    if not OmegaConf.is_config(strategy := trainer.get("strategy")):
        _check_word("strategy", strategy, (ONE_PROCESS, PROCESSES))


def _check_word(flag: str, value: Any, words: tuple[str, ...]) -> None:
    if value is not None and value not in words:
        raise ConfigError(f"trainer.{flag}={value} does not work in a run of qtrl: choices are {', '.join(words)}")
