"""The config of a run that resumes: the saved one, with the overrides of the command line applied."""

from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qtrl.config.nested import MISSING, at, leaves, shown
from qtrl.config.saved import load_config, named_in, trusted
from qtrl.config.secrets import refuse_secrets
from qtrl.config.validation.schema import check_keys
from qtrl.errors import ConfigError
from qtrl.files.run_tree import existing_run_dir
from qtrl.run.settings import AUTO

OF_THE_COMMAND = ("run_dir", "resume", "resume_force", "trust", "paths.runs", "ckpt_path")
"""Keys that are not compared: they belong to the command, not to the run."""
MAY_CHANGE = ("total_env_steps", "epochs")
"""How long a run is."""


def resumed_config(composed: DictConfig) -> DictConfig:
    """Return the config of the run in `run_dir`, with what the command line changes in it.

    With `resume=true` the overrides of the command line are applied to the saved config, groups as `composed` chooses
    them; with `resume=auto` the whole composed config is what the run should have.

    Raises:
        ConfigError: A key that is unknown or may not change, or a secret.
        RunFolderError: The folder is not that of a run, or its config names what is not trusted.
    """
    run_dir, trust = existing_run_dir(composed.run_dir, "run_dir"), trusted(composed)
    auto = composed.resume == AUTO
    saved = load_config(run_dir, [*trust, *named_in(_container(composed))] if auto else trust)
    refuse_secrets(saved)  # before anything of it is shown
    before = _container(saved)
    wanted = _container(composed if auto else _overridden(before, composed))
    _check_changes(before, wanted, force=composed.resume_force)
    check_keys(OmegaConf.create(wanted), known=before)
    own = {key: before[key] for key in ("run_dir", "ckpt_path", "paths")}
    cfg = OmegaConf.create({**wanted, **own, "resume": True})
    OmegaConf.set_struct(cfg, True)
    return cfg


def _check_changes(before: Any, wanted: Any, *, force: bool) -> None:
    """Refuse a change of any other key than the run's length, unless it is forced."""
    keys = dict([*leaves(before), *leaves(wanted)])
    # A group before what refers to it, and last the label, which follows from other keys.
    for key in sorted(keys, key=lambda key: (key == "label", key.count("."), key)):
        old, new = at(before, key), at(wanted, key)
        if old != new and key not in (*OF_THE_COMMAND, *MAY_CHANGE) and not force:
            may = ", ".join(length for length in MAY_CHANGE if length in keys)
            allowed = f"only {may} may; add resume_force=true to change it all the same"
            raise ConfigError(f"resume: {key} cannot change from {shown(old)} to {shown(new)}: {allowed}")


def _overridden(before: Any, composed: DictConfig) -> DictConfig:
    wanted = OmegaConf.create(before)
    for name in ("circuit", "engine", "shots"):  # the block's own refer to these when a run is composed
        if at(before, f"block.{name}") == before.get(name):
            wanted.block[name] = f"${{{name}}}"
    for override in OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task)):
        if _node(override) not in OF_THE_COMMAND:
            _apply(wanted, override, composed)
    return wanted


def _apply(wanted: DictConfig, override: Override, composed: DictConfig) -> None:
    """Do to a saved config what an override does to that of a new run."""
    key = _node(override)
    adds = override.is_add() or override.is_force_add()
    try:
        if OmegaConf.select(wanted, key, default=MISSING) is MISSING and not adds:
            raise ConfigError(f"resume: {key} is no key of the run's config")
        if override.is_delete():
            parent, _, name = key.rpartition(".")
            node = OmegaConf.select(wanted, parent) if parent else wanted
            del node[name]
        elif not isinstance(override.value(), dict) and OmegaConf.is_dict(OmegaConf.select(composed, key)):
            chosen = OmegaConf.to_container(OmegaConf.select(composed, key), resolve=False)  # a member of a group
            OmegaConf.update(wanted, key, chosen, merge=False, force_add=True)
        else:
            OmegaConf.update(wanted, key, override.value(), force_add=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"resume: {key} is no key of the run's config") from error


def _node(override: Override) -> str:
    """Return the key that an override is about; that of a group may be followed by where it goes."""
    return override.package or override.key_or_group.replace("/", ".")


def _container(cfg: DictConfig) -> Any:
    return OmegaConf.to_container(cfg, resolve=True)
