"""The config of a run folder that somebody else may have written: plain data whose classes are on a list."""

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from qtrl.config.nested import MISSING, at, leaves, shown
from qtrl.config.plain_yaml import PlainLoader
from qtrl.config.renamed import translated
from qtrl.config.trusted_classes import TARGET, groups_of_a_run, primary_config, trusted_classes
from qtrl.errors import ConfigError, RunFolderError
from qtrl.files.untrusted import read_regular

LARGEST = 256_000
"""Bytes of a config."""
LONGEST = 1_000
"""Characters of a text, and members of a list or mapping."""
OF_THE_COMMAND = ("defaults", "hydra", "control", "sweep", "launcher", "debug")
"""What says how a command runs leaves no key of that name in its config."""
PARTIAL = "_partial_"


class UnfitError(Exception):
    """Says what a config of a run may not hold."""


def read_config(path: Path, trust: Collection[str]) -> dict[str, Any]:
    """Read a saved config and check it before anything in it is looked up or imported.

    Args:
        path: The file.
        trust: Names of classes and environment ids of the user's own that it may name, besides those of qtrl.

    Raises:
        RunFolderError: It is not what `yaml.safe_dump` writes of a run's config, or names something else.
    """
    try:
        text = read_regular(path, limit=LARGEST).decode()
        return _parsed(text, trust)
    except FileNotFoundError as error:
        raise RunFolderError(f"there is no {path}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunFolderError(f"{path} is not YAML as qtrl writes it; was it edited? {reason!r}") from error
    except UnfitError as error:
        raise RunFolderError(f"{path}: {error}") from error.__cause__


def checked_text(cfg: DictConfig) -> str:
    """Serialize a config for `config.yaml`: all interpolations resolved, without the keys of the command alone.

    Raises:
        ConfigError: `read_config` would refuse it however much is trusted then, so that no run could resume.
    """
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    plain.pop("trust", None)
    text = yaml.safe_dump(plain, sort_keys=False)
    try:
        if len(text.encode()) > LARGEST:
            raise UnfitError(f"it has over {LARGEST:,} bytes")
        _parsed(text, named_in(plain))
    except (UnfitError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"no run could resume with this config: {reason}") from error
    return text


def load_config(run_dir: Path, trust: Collection[str] = ()) -> DictConfig:
    """Read `config.yaml` back; where the run lies is taken from `run_dir`, never from the file.

    Args:
        run_dir: The run's folder.
        trust: Classes and environment ids of the user's own that the config may name.

    Raises:
        RunFolderError: It is not a config of a run, or names what it may not.
    """
    plain = read_config(run_dir / "config.yaml", trust)
    plain.pop("trust", None)
    plain |= {"run_dir": str(run_dir), "ckpt_path": None, "paths": {"runs": str(run_dir.parent)}}
    cfg = OmegaConf.create(plain)
    OmegaConf.set_struct(cfg, True)
    return cfg


def _parsed(text: str, trust: Collection[str]) -> dict[str, Any]:
    plain = PlainLoader(text).get_single_data()
    if not isinstance(plain, dict):
        raise yaml.YAMLError("it is no mapping")
    plain = translated(plain)
    _check_keys(plain)
    _check_values("", plain, frozenset(trust))
    _check_env(plain, trust)
    return plain


def trusted(cfg: DictConfig) -> list[str]:
    """Return `trust` of the command line.

    Raises:
        ConfigError: It is no list of names.
    """
    trust = OmegaConf.to_container(cfg.trust) if OmegaConf.is_list(cfg.trust) else cfg.trust
    if not isinstance(trust, list) or not all(isinstance(name, str) for name in trust):
        raise ConfigError(f"trust={trust} is not allowed: expected names as in trust=[my_package.blocks.Cosine]")
    return trust


def named_in(plain: Any) -> set[str]:
    """Return the classes and the environment id that a config of the user's own names."""
    named = [value for key, value in leaves(plain, in_lists=True) if key.rpartition(".")[2] == TARGET]
    return {name for name in [at(plain, "env.id"), *named] if isinstance(name, str)}


def _check_keys(plain: dict[str, Any]) -> None:
    """Refuse keys that a config of this version does not have at the top, and groups that are none."""
    primary, groups = primary_config(), groups_of_a_run()
    for key, value in plain.items():
        if key in OF_THE_COMMAND or key not in groups | primary.keys():
            raise UnfitError(f"key {shown(key)} is unknown to this version of qtrl")
        if key in groups and key != "experiment" and not isinstance(value, dict):
            raise UnfitError(f"{key} is {shown(value)}, expected a mapping")


def _check_values(where: str, value: Any, trust: frozenset[str]) -> None:
    """Look through every value; `where` is its key, with dots and [numbers]."""
    if isinstance(value, str | list | dict) and len(value) > LONGEST:
        raise UnfitError(f"{shown(where)} is too long: {len(value):,}, expected at most {LONGEST:,}")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_key(where, key, item, trust)
            _check_values(f"{where}.{key}" if where else key, item, trust)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_values(f"{where}[{index}]", item, trust)
    elif isinstance(value, str):
        _check_text(where, value)
    elif value is not None and not _is_number(value):
        raise UnfitError(f"{shown(where)} is {shown(value)}, expected a number, text, list or mapping")


def _check_text(where: str, text: str) -> None:
    if "${" in text:
        raise UnfitError(f"{shown(where)} refers to something else by '${{'; a saved config has everything written out")
    if not text.isprintable():
        raise UnfitError(f"{shown(where)} is {shown(text)}, expected printable text")


def _check_key(where: str, key: str, value: Any, trust: frozenset[str]) -> None:
    """Check one key of the node `where`: a class must be on the list of that node, or trusted."""
    _check_text(f"a key of {where or 'the config'}", key)
    if key == TARGET:
        if not isinstance(value, str) or value not in trusted_classes().get(where, frozenset()) | trust:
            raise UnfitError(
                f"{shown(where)} names {shown(value)}, which is no class that qtrl puts there; if it is yours, "
                f"and you trust this folder, add trust=[NAME] with that name"
            )
    elif key == PARTIAL:
        if not isinstance(value, bool):
            raise UnfitError(f"{shown(where)} has {PARTIAL}: {shown(value)}, expected true or false")
    elif key.startswith("_") and key.endswith("_"):
        raise UnfitError(f"{shown(where)} has the key {shown(key)}, which is not allowed in the config of a run")


def _check_env(plain: dict[str, Any], trust: Collection[str]) -> None:
    """Refuse `module:Id`, which imports the module."""
    env_id = at(plain, "env.id")
    if env_id is MISSING:
        return
    if not isinstance(env_id, str):
        raise UnfitError(f"env.id is {shown(env_id)}, expected the id of an environment")
    if ":" in env_id and env_id not in trust:
        raise UnfitError(
            f"env.id {shown(env_id)} imports a module; if it is yours, and you trust this folder, "
            f"add trust=[ID] with that id"
        )


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isnan(value)
    return isinstance(value, int) and abs(value) < 2**63
