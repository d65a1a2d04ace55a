"""Imports of optional packages, with an error that says what to install."""

from importlib import import_module
from types import ModuleType

from qtrl.errors import EngineError


def import_package(name: str, owner: str, package: str) -> ModuleType:
    """Import a module that not every installation has.

    Args:
        name: The module.
        owner: What needs it, as the error names it.
        package: What to install.

    Raises:
        EngineError: It cannot be imported; names the command that installs it.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise EngineError(f"{owner} cannot import {name} ({error}): pip install {package}") from error
