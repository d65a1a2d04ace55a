"""Agents and models without their runs: where they are, and what is read of them; `qtrl.commands.export` writes it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import qtrl
from qtrl.config.nested import shown
from qtrl.errors import CheckpointError, ConfigError, RunFolderError
from qtrl.files.tensors import read_tensors
from qtrl.files.untrusted import read_json_object

RESULT = "result.json"
PREFIX = "pretrained/"
"""With which `run=` names an agent that comes with qtrl, whatever the current folder holds."""


@dataclass(frozen=True)
class Form:
    """What the folder of an exported agent, or of a model, looks like.

    Attributes:
        weights: Name of the file of the weights; it makes a folder one of this form.
        description: Name of the file that describes them.
        version: Of what such a folder holds; grows where an earlier qtrl could no longer read it.
        kept: Keys of the description that a checkpoint has too.
    """

    weights: str
    description: str
    version: int
    kept: tuple[str, ...] = ()


AGENT = Form("agent.safetensors", "agent.json", 1)
MODEL = Form("model.safetensors", "model.json", 1, ("table", "fingerprint"))
FORMS = (AGENT, MODEL)


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
    names = sorted(folder.name for folder in pretrained_dir().glob("*") if is_exported(folder))
    name = run.removeprefix(PREFIX).rstrip("/")
    if name not in names:
        known = ", ".join(names) or "none"
        raise ConfigError(f"run={run!r} is unknown: pretrained agents are {known}; a folder of yours is ./{PREFIX}NAME")
    return pretrained_dir() / name


def is_exported(folder: Path) -> bool:
    """Tell whether a folder is that of an exported agent or model, and not of a run."""
    return any((folder / form.weights).exists() for form in FORMS)


def read_exported(folder: Path) -> tuple[dict[str, Any], Path]:
    """Read exported weights like a checkpoint: `state_dict`, counters and `result`; its contents are untrusted.

    Raises:
        CheckpointError: A file is missing or damaged, or the folder is of a later format.
    """
    form = next(form for form in FORMS if (folder / form.weights).exists())
    path, described = folder / form.description, dict[str, Any]()
    if form.kept or os.path.lexists(path):  # the first agents had none
        described = _read_json(path)
        _check_format(described, path, form.version)
    result = _read_json(folder / RESULT)
    counters = {"env_steps": result.get("env_steps"), "updates": result.get("updates")}
    kept = {name: described.get(name) for name in form.kept}
    content = {"state_dict": read_tensors(folder / form.weights), **counters, **kept, "result": result}
    return content, folder / form.weights


def _check_format(description: dict[str, Any], path: Path, version: int) -> None:
    found = description.get("format")
    if type(found) is not int or found < 1:
        raise CheckpointError(f"{path} has the format {shown(found)}, expected a whole number from 1 to {version}")
    if found > version:
        by = shown(description["versions"].get("qtrl")) if isinstance(description.get("versions"), dict) else "another"
        raise CheckpointError(
            f"{path} has the format {found}, written by qtrl {by}; qtrl {qtrl.__version__} reads up to {version}: "
            "install a later qtrl"
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return read_json_object(path)
    except FileNotFoundError:
        raise CheckpointError(f"there is no {path}") from None
    except RunFolderError as error:
        raise CheckpointError(str(error)) from error
