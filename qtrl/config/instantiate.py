"""From nodes of a config to objects: the one place where a config key becomes an argument."""

import copy
import functools
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from hydra.errors import HydraException
from hydra.utils import get_class, get_object, instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qtrl.errors import ConfigError, QtrlError, RunFolderError
from qtrl.tasks import Task

T = TypeVar("T")
TARGET_OF_HYDRA = re.compile(r"target '([^']+)'")
"""In Hydra's errors: the class that cannot be found or made."""


def build(node: DictConfig, **arguments: Any) -> Any:
    """Instantiate a config node, with more arguments; mappings and lists that name no class become plain data.

    Raises:
        QtrlError: As the class raised it, here or where a partial node is called.
        ConfigError: The class raised another error, as for an argument that it does not accept.
    """
    with _explained(node):
        made = instantiate(node, **arguments, _convert_="all")
    return _explained(node)(_unless_given(made, node)) if node.get("_partial_") else made


@contextmanager
def _explained(node: DictConfig) -> Iterator[None]:
    """Raise qtrl's own errors as they are, and others as one that names the node's class."""
    try:
        yield
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ is not None and not isinstance(cause, QtrlError):
            cause = cause.__cause__
        if isinstance(cause, QtrlError):
            raise cause from None
        reason = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
        within = TARGET_OF_HYDRA.search(str(error))  # below the node
        raise ConfigError(f"{within[1] if within else node.get('_target_')} cannot be made: {reason}") from error


def _unless_given(made: Callable[..., Any], node: DictConfig) -> Callable[..., Any]:
    """Let a partial node's class refuse arguments that the caller gives too, which would replace those of the node."""
    parameters: list[str] = []
    with suppress(ValueError):  # as of some classes that are written in C
        parameters = list(inspect.signature(get_object(node._target_)).parameters)

    @functools.wraps(made)
    def call(*arguments: Any, **named: Any) -> Any:
        if twice := [name for name in (*parameters[: len(arguments)], *named) if name in node]:
            raise ConfigError(
                f"{twice[0]} of {node._target_} has no effect in the config: the run gives it, leave it out"
            )
        return made(*arguments, **named)

    return call


def logger_makers(node: DictConfig | None) -> list[Callable[..., Any]]:
    """Build what makes loggers: the node itself where it names a class, and each partial node below a key of its own.

    So several members of the group `logger` can be chosen together. Errors as of `build`.
    """
    if not node:
        return []
    below = [key for key, value in node.items() if OmegaConf.is_dict(value) and value.get("_partial_")]
    own = copy.deepcopy(node)
    OmegaConf.set_struct(own, False)
    for key in below:
        del own[key]
    return [build(each) for each in (own, *(node[key] for key in below)) if "_target_" in each]


def construct(kind: Callable[..., T], cfg: DictConfig, **arguments: Any) -> T:
    """Make an object whose parameters are named like keys of the config, each from the node of its name.

    Other arguments are given as they are. A parameter with a default may have no key in the config.

    Raises:
        ConfigError: The config lacks a key, or a class does not accept its arguments.
    """
    for name, parameter in inspect.signature(kind).parameters.items():
        if name in arguments:
            continue
        if name in cfg:
            arguments[name] = _value(cfg[name])
        elif parameter.default is parameter.empty:
            raise ConfigError(f"the config has no key {name!r}, which {kind.__name__} needs")
    return kind(**arguments)


def _value(node: Any) -> Any:
    if OmegaConf.is_dict(node):
        return build(node)
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_list(node) else node


def construct_task(cfg: DictConfig) -> Task:
    """Make the task that the group `task` names, from the keys that its class asks for; errors as of `construct`."""
    if extra := sorted(str(key) for key in cfg.task if key not in ("_target_", "_partial_")):
        raise ConfigError(f"task.{extra[0]} has no effect: what a task reads are keys at the top of the config")
    with _explained(cfg.task):
        return construct(get_class(cfg.task._target_), _with_waiting_wrappers(cfg))


def _with_waiting_wrappers(cfg: DictConfig) -> DictConfig:
    """Return a copy in which each class of `env.wrappers` waits for what it wraps."""
    cfg = cfg.copy()
    for wrapper in OmegaConf.select(cfg, "env.wrappers") or ():
        OmegaConf.update(wrapper, "_partial_", True, force_add=True)
    return cfg


@contextmanager
def blamed(path: Path | None = None) -> Iterator[None]:
    """Turn errors of other libraries than Hydra into one line about the config, saved at `path` or else composed."""
    try:
        yield
    except (QtrlError, HydraException, OmegaConfBaseException):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        if path is None:
            raise ConfigError(f"no run can be made with this config: {reason}") from error
        raise RunFolderError(f"{path} does not describe a run that can be made; was it edited? {reason!r}") from error
