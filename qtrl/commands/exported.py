"""Trained agents without their runs: a folder with weights, plain config, test result and model card."""

import json
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from torch import nn

import qtrl
from qtrl.commands.model_card import model_card
from qtrl.config.saved import checked_text
from qtrl.config.secrets import refuse_secrets
from qtrl.errors import CheckpointError, ConfigError, RunFolderError
from qtrl.files.atomic import write_json, write_text
from qtrl.files.tensors import read_tensors, write_tensors
from qtrl.files.untrusted import read_regular

WEIGHTS, RESULT, CARD = "agent.safetensors", "result.json", "README.md"
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


def check_export(export: object) -> Path | None:
    """Return the folder that `export=` names, or None without it.

    Raises:
        ConfigError: It is no folder's name, or holds something already.
    """
    if export is None:
        return None
    if not isinstance(export, str) or not export:
        raise ConfigError(f"export={export} is not allowed: expected a folder")
    folder = Path(export).expanduser().absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"export={export} exists and is not empty: remove it, or name another folder")
    return folder


def export_agent(folder: Path, cfg: DictConfig, actor: nn.Module, result: dict[str, Any]) -> None:
    """Write an agent, without critics and optimizers, and what its test gave.

    Args:
        folder: Is made; holds nothing yet.
        cfg: Of the agent's run. Where the run lay and where it was logged is left out.
        actor: Its weights, qtDNN included.
        result: Of the test, with facts about the agent.

    Raises:
        RunFolderError: A file cannot be written.
        ConfigError: The config holds a secret.
    """
    refuse_secrets(cfg)
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    plain |= {"run_dir": None, "ckpt_path": None, "resume": False, "paths": {"runs": "runs"}, "logger": {}}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"export={folder} cannot be written: {error.strerror}") from error
    write_text(folder / "config.yaml", checked_text(OmegaConf.create(plain)))
    write_json(folder / RESULT, result)
    run = PREFIX + folder.name if folder.parent.resolve() == pretrained_dir() else folder.name
    write_text(folder / CARD, model_card(folder.name, run, plain, result, actor))
    write_tensors(folder / WEIGHTS, actor.state_dict())  # last: it makes the folder one of an agent
