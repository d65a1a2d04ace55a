"""Trained agents without their runs: where they are, and what is read of them; `qtrl.commands.exported` writes them."""

import json
from pathlib import Path
from typing import Any

import qtrl
from qtrl.errors import CheckpointError, ConfigError, RunFolderError
from qtrl.files.tensors import read_tensors
from qtrl.files.untrusted import read_regular

WEIGHTS, RESULT = "agent.safetensors", "result.json"
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
    """Read an exported actor like a checkpoint, `state_dict` and counters; its contents are untrusted.

    Raises:
        CheckpointError: A file is missing or damaged.
    """
    path = folder / RESULT
    try:
        result = json.loads(read_regular(path, limit=2**24))
    except FileNotFoundError:
        raise CheckpointError(f"there is no {path}") from None
    except RunFolderError as error:
        raise CheckpointError(str(error)) from error
    except (ValueError, RecursionError):
        raise CheckpointError(f"{path} is not whole, or not JSON") from None
    if not isinstance(result, dict):
        raise CheckpointError(f"{path} is no JSON object")
    counters = {"env_steps": result.get("env_steps"), "updates": result.get("updates")}
    return {"state_dict": read_tensors(folder / WEIGHTS), **counters}, folder / WEIGHTS
