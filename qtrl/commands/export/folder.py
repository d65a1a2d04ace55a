"""Writes a trained agent without its run: weights, plain config, result, description, circuits and model card."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from qtrl.commands.agent import Agent
from qtrl.commands.export.card import model_card
from qtrl.commands.export.description import describe
from qtrl.config.saved import checked_text
from qtrl.config.secrets import refuse_secrets
from qtrl.errors import ConfigError, RunFolderError
from qtrl.files.atomic import write_json, write_text
from qtrl.files.tensors import write_tensors
from qtrl.run.exported import DESCRIPTION, PREFIX, RESULT, WEIGHTS, pretrained_dir

CARD = "README.md"


def check_target(key: str, target: object) -> Path | None:
    """Return the folder that `key=` names, or None without it.

    Raises:
        ConfigError: It is no folder's name, or holds something already.
    """
    if target is None:
        return None
    if not isinstance(target, str) or not target:
        raise ConfigError(f"{key}={target} is not allowed: expected a folder")
    folder = Path(target).expanduser().absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{key}={target} exists and is not empty: remove it, or name another folder")
    return folder


def export_agent(folder: Path, agent: Agent, result: dict[str, Any]) -> None:
    """Write an agent, without critics and optimizers. Where its run lay and where it was logged is left out.

    Args:
        folder: Is made; holds nothing yet.
        agent: Its weights are written, qtDNN included.
        result: Of a test or of its run, with facts about the agent.

    Raises:
        RunFolderError: A file cannot be written.
        ConfigError: The config holds a secret.
    """
    refuse_secrets(agent.cfg)
    plain: Any = OmegaConf.to_container(agent.cfg, resolve=True)
    plain |= {"run_dir": None, "ckpt_path": None, "resume": False, "paths": {"runs": "runs"}, "logger": {}}
    run = PREFIX + folder.name if folder.parent.resolve() == pretrained_dir() else folder.name
    config, card = checked_text(OmegaConf.create(plain)), model_card(folder.name, run, plain, result, agent.actor)
    description, circuits = describe(agent)
    make_folder(folder)
    write_text(folder / "config.yaml", config)
    write_json(folder / RESULT, result)
    write_json(folder / DESCRIPTION, description)
    for name, program in circuits.items():
        write_text(folder / name, program)
    write_text(folder / CARD, card)
    write_tensors(folder / WEIGHTS, agent.actor.state_dict())  # last: it makes the folder one of an agent


def make_folder(folder: Path) -> None:
    """Make the folder of what is exported, or raise a RunFolderError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"{folder} cannot be written: {error.strerror}") from error
