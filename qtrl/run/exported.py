"""Trained agents without their runs: where they are, and what is read of them; `qtrl.commands.export` writes them."""

import os
from pathlib import Path
from typing import Any

import qtrl
from qtrl.config.nested import shown
from qtrl.errors import CheckpointError, ConfigError, RunFolderError
from qtrl.files.tensors import read_tensors
from qtrl.files.untrusted import read_json_object

WEIGHTS, RESULT, DESCRIPTION = "agent.safetensors", "result.json", "agent.json"
FORMAT = 1
"""Version of what such a folder holds; grows where an earlier qtrl could no longer play it."""
PREFIX = "pretrained/"
"""With which `run=` names an agent that comes with qtrl, whatever the current folder holds."""


def pretrained_dir() -> Path:
    """Return the folder inside the package whose folders are the agents that come with qtrl."""
    return Path(qtrl.__file__).resolve().parent / "pretrained"


def located(run: object) -> object:
    """Return the folder of an agent that comes with qtrl; what `run=` names otherwise is returned as it is.

    Raises:
        ConfigError: No agent has this name.
    """
    if not isinstance(run, str) or not f"{run}/".startswith(PREFIX):
        return run
    names = sorted(folder.parent.name for folder in pretrained_dir().glob(f"*/{WEIGHTS}"))
    name = run.removeprefix(PREFIX).rstrip("/")
    if name not in names:
        known = ", ".join(names) or "none"
        raise ConfigError(f"run={run!r} is unknown: pretrained agents are {known}; a folder of yours is ./{PREFIX}NAME")
    return pretrained_dir() / name


def is_exported(folder: Path) -> bool:
    """Tell whether a folder is that of an exported agent, and not of a run."""
    return (folder / WEIGHTS).exists()


def read_exported(folder: Path) -> tuple[dict[str, Any], Path]:
    """Read an exported actor like a checkpoint: `state_dict`, counters and `result`; its contents are untrusted.

    Raises:
        CheckpointError: A file is missing or damaged, or the folder is of a later format.
    """
    if os.path.lexists(folder / DESCRIPTION):  # the first folders had none
        _check_format(_read_json(folder / DESCRIPTION), folder / DESCRIPTION)
    result = _read_json(folder / RESULT)
    counters = {"env_steps": result.get("env_steps"), "updates": result.get("updates")}
    return {"state_dict": read_tensors(folder / WEIGHTS), **counters, "result": result}, folder / WEIGHTS


def _check_format(description: dict[str, Any], path: Path) -> None:
    found = description.get("format")
    if type(found) is not int or found < 1:
        raise CheckpointError(f"{path} has the format {shown(found)}, expected a whole number from 1 to {FORMAT}")
    if found > FORMAT:
        by = shown(description["versions"].get("qtrl")) if isinstance(description.get("versions"), dict) else "another"
        raise CheckpointError(
            f"{path} has the format {found}, written by qtrl {by}; qtrl {qtrl.__version__} reads up to {FORMAT}: "
            "install a later qtrl"
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return read_json_object(path)
    except FileNotFoundError:
        raise CheckpointError(f"there is no {path}") from None
    except RunFolderError as error:
        raise CheckpointError(str(error)) from error
