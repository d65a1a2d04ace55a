"""Going on with a run under its own config."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qtrl.errors import ConfigError
from qtrl.wiring.run_folder import load_config
from qtrl.wiring.saved_config import names, trusted

SHARED_WITH_BLOCK = ("circuit", "engine")
"""The block's own ones refer to these; a run's config has both written out."""
NOT_OF_THE_RUN = ("run_dir", "resume", "resume_force", "trust", "paths.runs")
MAY_CHANGE = ("total_env_steps",)


def resumed_config(run_dir: Path, overrides: Sequence[str], *, force: bool, trust: Collection[str] = ()) -> DictConfig:
    """Read a run's config and apply the command line's overrides to it (`resume=true`).

    Args:
        run_dir: The run's folder.
        overrides: As given on the command line, `key=value`.
        force: Whether other keys than `total_env_steps` may change.
        trust: Classes and environment ids of the user's own that the config may name.

    Raises:
        ConfigError: A key that is unknown or may not change.
    """
    cfg = load_config(run_dir, trust)
    for override in overrides:
        key, _, text = override.partition("=")
        if key in NOT_OF_THE_RUN:
            continue
        value = yaml.safe_load(text)
        if _selected(cfg, key) == value:
            continue
        _check_change(key, _selected(cfg, key), value, force=force)
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


def continued_config(run_dir: Path, composed: DictConfig) -> DictConfig:
    """Compare a run's config with what the same command composes (`resume=auto`); return that of the run.

    Args:
        run_dir: The run's folder.
        composed: The config of the command line, complete.

    Raises:
        ConfigError: A key differs that may not change.
    """
    wanted = OmegaConf.to_container(composed, resolve=True)
    cfg = load_config(run_dir, trust=[*trusted(composed), *names(wanted)])
    before, now = (dict(_leaves(config)) for config in (OmegaConf.to_container(cfg), wanted))
    for key in sorted(before.keys() & now.keys()):  # a run of an earlier version lacks keys
        if before[key] != now[key] and key not in (*NOT_OF_THE_RUN, "ckpt_path"):
            _check_change(key, before[key], now[key], force=composed.resume_force)
            OmegaConf.update(cfg, key, now[key])
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


def _check_change(key: str, before: object, now: object, *, force: bool) -> None:
    if key not in MAY_CHANGE and not force:
        allowed = f"only {', '.join(MAY_CHANGE)} may; add resume_force=true to change it all the same"
        raise ConfigError(f"resume: {key} cannot change from {before} to {now}: {allowed}")


def _leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value of nested mappings with its dotted key; a list is a value."""
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _selected(cfg: DictConfig, key: str) -> object:
    try:
        value = OmegaConf.select(cfg, key, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"resume: {key} is no key of the run's config") from error
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
