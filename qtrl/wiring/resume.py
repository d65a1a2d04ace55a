"""Going on with a run under its own config."""

from collections.abc import Sequence
from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qtrl.errors import ConfigError
from qtrl.wiring.run_folder import load_config

SHARED_WITH_BLOCK = ("circuit", "engine")
"""The block's own ones refer to these; a run's config has both written out."""
NOT_OF_THE_RUN = ("run_dir", "resume", "resume_force")
MAY_CHANGE = ("total_env_steps",)


def resumed_config(run_dir: Path, overrides: Sequence[str], *, force: bool) -> DictConfig:
    """Read a run's config and apply the command line's overrides to it.

    Args:
        run_dir: The run's folder.
        overrides: As given on the command line, `key=value`.
        force: Whether other keys than `total_env_steps` may change.

    Raises:
        ConfigError: A key that is unknown or may not change.
    """
    cfg = load_config(run_dir)
    for override in overrides:
        key, _, text = override.partition("=")
        if key in NOT_OF_THE_RUN:
            continue
        value = yaml.safe_load(text)
        if _selected(cfg, key) == value:
            continue
        if key not in MAY_CHANGE and not force:
            allowed = f"only {', '.join(MAY_CHANGE)} may; add resume_force=true to change it all the same"
            raise ConfigError(f"resume: {key} cannot change from {_selected(cfg, key)} to {value}: {allowed}")
        if isinstance(_selected(cfg, key), dict):
            raise ConfigError(
                f"resume: the choice of {key} cannot change, only single values of it, such as {key}.NAME"
            )
        OmegaConf.update(cfg, key, value)
    for name in SHARED_WITH_BLOCK:
        if name in cfg.block:
            cfg.block[name] = cfg[name]
    cfg.run_dir, cfg.resume = str(run_dir), True
    return cfg


def check_steps_done(cfg: DictConfig, env_steps: int) -> None:
    """Refuse an end that lies before what was done already.

    Raises:
        ConfigError: `total_env_steps` is below `env_steps`.
    """
    if cfg.total_env_steps < env_steps:
        raise ConfigError(
            f"resume: total_env_steps={cfg.total_env_steps} is below the {env_steps} env steps already made"
        )


def _selected(cfg: DictConfig, key: str) -> object:
    try:
        value = OmegaConf.select(cfg, key, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"resume: {key} is no key of the run's config") from error
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
