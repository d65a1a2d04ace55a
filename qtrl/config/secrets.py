"""Keys and passwords kept out of what a run writes: its folder, its logs and W&B hold the whole config in clear."""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from qtrl.config.nested import leaves
from qtrl.errors import ConfigError

SECRET = re.compile(r"api_?key|token|secret|password|passwd|credential", re.IGNORECASE)
"""In the name of a secret."""
SHORTEST, WORD = 8, re.compile(r"[a-z]+")
"""A variable's value of fewer characters, as `true`, or of a single word, as `pendulum`, is part of many a config."""
NO_TEXT = re.compile(r"|null|true|false|[-+]?[0-9][-+0-9_.e]*(,[-+]?[0-9][-+0-9_.e]*)*", re.IGNORECASE)
"""Numbers and the like, written as on the command line: `block.n_tokens=8` is no secret."""
INSTEAD = "leave it out, and let the program that needs it read an environment variable"


def refuse_secrets(cfg: DictConfig) -> None:
    """Refuse a composed or saved config, or a command line, that holds a secret; the message does not.

    Raises:
        ConfigError: A key with a secret's name has a text, a value holds that of a variable with a secret's name, or
            refers to one.
    """
    hidden = _values_of_secrets()
    containers = [OmegaConf.to_container(cfg, resolve=resolve) for resolve in (False, True)]
    for key, value in [*_of_hydra(), *leaves(containers, in_lists=True)]:
        _check(key, value, hidden)


def refuse_secret_arguments() -> None:
    """Do so for the command line alone, before Hydra writes it down in a multirun."""
    hidden = _values_of_secrets()
    for key, value in _split(sys.argv[1:]):
        _check(key, value, hidden)


def _of_hydra() -> Iterator[tuple[str, Any]]:
    """Yield what Hydra keeps of the command line, and the environment variables that it sets."""
    if HydraConfig.initialized():
        hydra = HydraConfig.get()
        yield from _split([*hydra.overrides.task, *hydra.overrides.hydra])
        yield from leaves(OmegaConf.to_container(hydra.job.env_set, resolve=False), "hydra.job.env_set")


def _split(arguments: Iterable[str]) -> Iterator[tuple[str, str]]:
    for argument in arguments:
        key, _, value = argument.partition("=")
        yield key.lstrip("+~"), value


def _check(key: str, value: Any, hidden: Mapping[str, str]) -> None:
    text = f"{key}={value}"
    for name, secret in hidden.items():
        if secret in text:
            raise ConfigError(f"the config or the command line holds the value of the secret {name}: {INSTEAD}")
    if any(SECRET.search(variable) for variable in re.findall(r"oc\.env:([^},]*)", text)):
        raise ConfigError(f"{key!r} refers to a secret of the environment: {INSTEAD}")
    if SECRET.search(key) and isinstance(value, str) and not NO_TEXT.fullmatch(value):
        raise ConfigError(f"{key!r} looks like a secret: {INSTEAD}")


def _values_of_secrets() -> dict[str, str]:
    """Return the values of variables with a secret's name; a path of a file, and a lower-case word, are no secret."""
    named = {name: value for name, value in os.environ.items() if SECRET.search(name) and len(value) >= SHORTEST}
    exists = os.path.exists  # that of Path raises for some texts
    return {name: value for name, value in named.items() if not WORD.fullmatch(value) and not exists(value)}
