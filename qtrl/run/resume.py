"""The config of a run that resumes: its own, with the overrides of the command line applied."""

from collections.abc import Collection
from itertools import accumulate
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from qtrl.config.nested import MISSING, at, leaves, shown
from qtrl.config.saved import load_config, names, trusted
from qtrl.config.secrets import refuse_secrets
from qtrl.errors import ConfigError

SHARED_WITH_BLOCK = ("circuit", "engine")
"""The block's own ones refer to these; a run's config has both written out."""
NOT_OF_THE_RUN = ("run_dir", "resume", "resume_force", "trust", "paths.runs", "ckpt_path")
MAY_CHANGE = ("total_env_steps",)
LABEL = "label"
"""Follows from other keys, so it is looked at last."""


def resumed_config(run_dir: Path, composed: DictConfig) -> DictConfig:
    """Read a run's config and apply the command line's overrides to it (`resume=true`).

    Args:
        run_dir: The run's folder.
        composed: The config of the command line, complete; choices of groups are taken from it.

    Raises:
        ConfigError: A key that is unknown or may not change, or a secret.
    """
    cfg = _loaded(run_dir, trusted(composed))
    wanted = _refer(cfg)
    for override in _overrides():
        if _node(override) not in NOT_OF_THE_RUN:
            _apply(wanted, override, composed)
    return _changed(cfg, _container(wanted), force=composed.resume_force)


def continued_config(run_dir: Path, composed: DictConfig) -> DictConfig:
    """Compare a run's config with what the same command composes (`resume=auto`); return that of the run.

    A run of an earlier version lacks keys. It goes on without one that the command line does not name either.

    Args:
        run_dir: The run's folder.
        composed: The config of the command line, complete.

    Raises:
        ConfigError: A key differs that may not change, or there is a secret.
    """
    wanted = _container(composed)
    cfg = _loaded(run_dir, [*trusted(composed), *names(wanted)])
    said = [_node(override) for override in _overrides() if not _is_choice(override, composed)]
    return _changed(cfg, wanted, force=composed.resume_force, said=said)


def _loaded(run_dir: Path, trust: Collection[str]) -> DictConfig:
    """Read a run's config, of which nothing is told before it is known to hold no secret."""
    cfg = load_config(run_dir, trust)
    refuse_secrets(cfg)
    return cfg


def _overrides() -> list[Override]:
    return OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task))


def _node(override: Override) -> str:
    """Return the key that an override is about; that of a group may be followed by where it goes."""
    return override.package or override.key_or_group.replace("/", ".")


def _is_choice(override: Override, composed: DictConfig) -> bool:
    """Tell whether an override chooses a member of a group."""
    chosen = not override.is_delete() and not isinstance(override.value(), dict)
    return chosen and OmegaConf.is_dict(OmegaConf.select(composed, _node(override)))


def _refer(cfg: DictConfig) -> DictConfig:
    """Copy a run's config; what the block shares with other groups refers to them, as when the run was composed."""
    wanted = OmegaConf.create(_container(cfg))
    for name in SHARED_WITH_BLOCK:
        if OmegaConf.is_dict(wanted.block) and name in wanted.block and wanted.block[name] == wanted.get(name):
            wanted.block[name] = f"${{{name}}}"
    return wanted


def _apply(wanted: DictConfig, override: Override, composed: DictConfig) -> None:
    """Do to a run's config what an override does to that of a new run."""
    key = _node(override)
    adds = override.is_add() or override.is_force_add()
    try:
        if OmegaConf.select(wanted, key, default=MISSING) is MISSING and not adds:
            raise ConfigError(f"resume: {key} is no key of the run's config")
        if override.is_delete():
            _put(wanted, key, MISSING)
        elif _is_choice(override, composed):
            _put(wanted, key, OmegaConf.to_container(OmegaConf.select(composed, key), resolve=False))
        else:
            OmegaConf.update(wanted, key, override.value(), force_add=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"resume: {key} is no key of the run's config") from error


def _changed(cfg: DictConfig, wanted: Any, *, force: bool, said: Collection[str] | None = None) -> DictConfig:
    """Bring a run's config to what is wanted.

    Args:
        cfg: The run's config; changed in place.
        wanted: A complete config.
        force: Whether other keys than `total_env_steps` may change.
        said: Keys that the command line names; others that the run lacks, it goes on to lack. None: it names all.

    Raises:
        ConfigError: Another key differs.
    """
    before = _container(cfg)
    keys = dict([*leaves(before), *leaves(wanted)])
    for key in sorted(keys, key=lambda key: (key == LABEL, key.count("."), key)):  # a group before what refers to it
        old, new = at(before, key), at(wanted, key)
        lacks = old is MISSING and said is not None and not any(f"{key}.".startswith(f"{name}.") for name in said)
        if old == new or key in NOT_OF_THE_RUN or lacks:
            continue
        if key not in MAY_CHANGE and not force:
            allowed = f"only {', '.join(MAY_CHANGE)} may; add resume_force=true to change it all the same"
            raise ConfigError(f"resume: {key} cannot change from {shown(old)} to {shown(new)}: {allowed}")
        _put(cfg, _outermost(key, wanted) if new is MISSING else key, new)
    cfg.resume = True  # load_config has said where the run lies
    return cfg


def _outermost(key: str, wanted: dict[str, Any]) -> str:
    """Return the first part of a key at which there is nothing: a mapping goes whole."""
    return next(part for part in accumulate(key.split("."), "{}.{}".format) if at(wanted, part) is MISSING)


def _put(cfg: DictConfig, key: str, value: Any) -> None:
    """Set a key, or with MISSING take it away where it is."""
    if value is not MISSING:
        OmegaConf.update(cfg, key, value, merge=False, force_add=True)
        return
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    if OmegaConf.is_dict(node) and name in node:
        with open_dict(node):
            del node[name]


def _container(cfg: DictConfig) -> Any:
    return OmegaConf.to_container(cfg, resolve=True)
