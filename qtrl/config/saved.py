"""The config of a run folder that somebody else may have written: plain data whose classes are on an allow-list."""

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from qtrl.config.nested import Missing, at, leaves, shown
from qtrl.config.trusted_classes import TARGET, groups_of_a_run, primary_config, trusted_classes
from qtrl.config.validation.renamed import translated
from qtrl.errors import ConfigError, RunFolderError
from qtrl.files.untrusted import read_regular

LARGEST = 256_000
"""Bytes of a config."""
LONGEST = 1_000
"""Characters of a text, and members of a list or mapping."""
OF_THE_COMMAND = ("defaults", "hydra", "control", "sweep", "launcher", "debug")
"""Groups and keys that leave no key of their name in a composed config."""
PARTIAL = "_partial_"
TRUST_HINT = "if it is yours, and you trust this folder, add trust=[{}] with that {}"


class UnfitError(Exception):
    """A config of a run holds what it may not."""


class PlainLoader(yaml.SafeLoader):
    """YAML as `yaml.safe_dump` writes it: no anchors, aliases, merges, repeated keys, and not nested without end."""

    depth, nodes = 0, 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse what could make a short text a long one."""
        if self.check_event(yaml.AliasEvent) or self.peek_event().anchor is not None:
            raise yaml.YAMLError("it has an anchor or alias")
        if self.depth > 12:
            raise yaml.YAMLError("it is nested too deeply")
        if self.nodes > 5_000:
            raise yaml.YAMLError("it has too many values")
        self.depth, self.nodes = self.depth + 1, self.nodes + 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict:
        """Refuse keys that are no text, or that come twice."""
        keys = [key.value if key.tag == "tag:yaml.org,2002:str" else None for key, _ in node.value]
        if None in keys or len(set(keys)) < len(keys):
            raise yaml.YAMLError("it has a key that is no text, or that comes twice")
        return super().construct_mapping(node, deep)


def read_config(path: Path, trust: Collection[str]) -> dict[str, Any]:
    """Read a saved config and check it before anything in it is looked up or imported.

    Args:
        path: The file.
        trust: Names of classes and environment ids of the user's own that it may name, besides those of qtrl.

    Raises:
        RunFolderError: It is not what `yaml.safe_dump` writes of a run's config, or names something else.
    """
    try:
        return _parsed(read_regular(path, limit=LARGEST).decode(), trust)
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

    Raises:
        RunFolderError: As of `read_config`.
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
    primary, groups = primary_config(), groups_of_a_run()
    for key, value in plain.items():
        if key in OF_THE_COMMAND or key not in groups | primary.keys():
            raise UnfitError(f"key {shown(key)} is unknown to this version of qtrl")
        if key in groups and key != "experiment" and not isinstance(value, dict):
            raise UnfitError(f"{key} is {shown(value)}, expected a mapping")
    _check_values("", plain, frozenset(trust))
    _check_env(plain, trust)
    return plain


def trusted(cfg: DictConfig) -> list[str]:
    """Return `trust` of the command line; raise a ConfigError where it is no list of names."""
    trust = OmegaConf.to_container(cfg.trust) if OmegaConf.is_list(cfg.trust) else cfg.trust
    if not isinstance(trust, list) or not all(isinstance(name, str) for name in trust):
        raise ConfigError(f"trust={trust} is not allowed: expected names as in trust=[my_package.blocks.Cosine]")
    return trust


def named_in(plain: Any) -> set[str]:
    """Return the classes and the environment id that a config of the user's own names."""
    named = [value for key, value in leaves(plain, in_lists=True) if key.rpartition(".")[2] == TARGET]
    return {name for name in [at(plain, "env.id"), *named] if isinstance(name, str)}


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
    elif (isinstance(value, float) and math.isnan(value)) or (isinstance(value, int) and abs(value) >= 2**63):
        raise UnfitError(f"{shown(where)} is {shown(value)}, expected a number")
    elif not isinstance(value, int | float | None):
        raise UnfitError(f"{shown(where)} is {shown(value)}, expected a number, text, list or mapping")


def _check_text(where: str, text: str) -> None:
    if "${" in text:
        raise UnfitError(f"{shown(where)} refers to something else by '${{'; a saved config has everything written out")
    if not text.isprintable():
        raise UnfitError(f"{shown(where)} is {shown(text)}, expected printable text")


def _check_key(where: str, key: str, value: Any, trust: frozenset[str]) -> None:
    """Check one key of the node `where`: a class must be on that node's allow-list, or trusted."""
    _check_text(f"a key of {where or 'the config'}", key)
    if key == TARGET:
        if not isinstance(value, str) or value not in trusted_classes().get(where, frozenset()) | trust:
            names = f"{shown(where)} names {shown(value)}, which is no class that qtrl puts there"
            raise UnfitError(f"{names}; {TRUST_HINT.format('NAME', 'name')}")
    elif key == PARTIAL:
        if not isinstance(value, bool):
            raise UnfitError(f"{shown(where)} has {PARTIAL}: {shown(value)}, expected true or false")
    elif key.startswith("_") and key.endswith("_"):
        raise UnfitError(f"{shown(where)} has the key {shown(key)}, which is not allowed in the config of a run")


def _check_env(plain: dict[str, Any], trust: Collection[str]) -> None:
    """Refuse `module:Id`, which imports the module, and texts for an environment, of which some do the same."""
    env_id = at(plain, "env.id")
    if not isinstance(env_id, str | Missing):
        raise UnfitError(f"env.id is {shown(env_id)}, expected the id of an environment")
    if not isinstance(env_id, str) or env_id in trust:
        return
    if ":" in env_id:
        raise UnfitError(f"env.id {shown(env_id)} imports a module; {TRUST_HINT.format('ID', 'id')}")
    texts = [key for key, value in leaves(at(plain, "env.kwargs"), in_lists=True) if isinstance(value, str)]
    if texts:
        found = f"env.kwargs.{texts[0]} is a text, which may name a file or a module"
        raise UnfitError(f"{found}; {TRUST_HINT.format(env_id, 'id')}")
