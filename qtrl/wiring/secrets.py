"""Keys and passwords kept out of what a run writes: its folder, its logs and W&B hold the whole config in clear."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from qtrl.errors import ConfigError

SECRET = re.compile(r"api_?key|token|secret|password|passwd|credential", re.IGNORECASE)
"""A name with one of these words in it is a secret's."""
SHORTEST = 8
"""Characters below which the value of a variable is no secret: `true` occurs anywhere."""
FROM_ENVIRONMENT = re.compile(r"oc\.env:([^},]*)")
INSTEAD = "leave it out, and let the program that needs it read an environment variable"


def refuse_secrets(cfg: DictConfig) -> None:
    """Refuse a config, or a command line, that holds a secret; the message does not.

    Args:
        cfg: The config as composed, or as a run folder has it.

    Raises:
        ConfigError: A key with a secret's name has a value, a value holds that of a variable with a secret's name, or
            refers to one.
    """
    hidden = _values_of_secrets()
    for key, value in [*_of_hydra(), *_leaves("", OmegaConf.to_container(cfg, resolve=False))]:
        _check(key, value, hidden)
    for key, value in _leaves("", OmegaConf.to_container(cfg, resolve=True)):
        _check(key, value, hidden)


def refuse_secret_arguments() -> None:
    """Do so for the command line alone, before Hydra writes it down in a multirun.

    Raises:
        ConfigError: As above.
    """
    hidden = _values_of_secrets()
    for key, value in _split(sys.argv[1:]):
        _check(key, value, hidden)


def _of_hydra() -> Iterator[tuple[str, Any]]:
    """Yield what Hydra keeps of the command line, and the variables that it sets."""
    if HydraConfig.initialized():
        hydra = HydraConfig.get()
        yield from _split([*hydra.overrides.task, *hydra.overrides.hydra])
        yield from _leaves("hydra.job.env_set", OmegaConf.to_container(hydra.job.env_set, resolve=False))


def _split(arguments: Iterable[str]) -> Iterator[tuple[str, str]]:
    for argument in arguments:
        key, _, value = argument.partition("=")
        yield key.lstrip("+~"), value


def _leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(f"{key}.{name}" if key else str(name), item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(key, item)
    else:
        yield key, value


def _check(key: str, value: Any, hidden: Iterable[str]) -> None:
    if value is None or value == "":
        return
    text = f"{key}={value}"
    if any(secret in text for secret in hidden):
        raise ConfigError(f"the config or the command line holds the value of a secret of the environment: {INSTEAD}")
    if any(SECRET.search(variable) for variable in FROM_ENVIRONMENT.findall(text)):
        raise ConfigError(f"{key!r} refers to a secret of the environment: {INSTEAD}")
    if SECRET.search(key):
        raise ConfigError(f"{key!r} looks like a secret: {INSTEAD}")


def _values_of_secrets() -> list[str]:
    """Return the values of variables with a secret's name; a path of a file is no secret."""
    values = [value for name, value in os.environ.items() if SECRET.search(name) and len(value) >= SHORTEST]
    return [value for value in values if not _exists(value)]


def _exists(value: str) -> bool:
    try:
        return Path(value).exists()
    except (OSError, ValueError):
        return False
