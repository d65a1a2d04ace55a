"""Objects from the nodes of a saved config, without Hydra: what was checked is plain data with `_target_`."""

import pkgutil
from functools import partial
from typing import Any

from qtrl.config.saved import PARTIAL
from qtrl.config.trusted_classes import TARGET
from qtrl.errors import ConfigError, QtrlError


def make(node: Any) -> Any:
    """Make what a node of a checked config describes; mappings that name no class, lists and other values stay.

    With `_partial_` it is a function that takes the other arguments.

    Raises:
        QtrlError: As the class raised it.
        ConfigError: The class raised another error, as for an argument that it does not accept.
    """
    if isinstance(node, list):
        return [make(item) for item in node]
    if not isinstance(node, dict):
        return node
    arguments = {key: make(value) for key, value in node.items() if key not in (TARGET, PARTIAL)}
    if TARGET not in node:
        return arguments
    bound = partial(_call, node[TARGET], arguments)
    return bound if node.get(PARTIAL) else bound()


def _call(name: str, arguments: dict[str, Any], /, *values: Any, **named: Any) -> Any:
    try:
        return pkgutil.resolve_name(name)(*values, **arguments, **named)
    except QtrlError:
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConfigError(f"{name} cannot be made: {reason}") from error
