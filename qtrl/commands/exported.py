"""Writes a trained agent without its run: weights, plain config, test result and model card."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from torch import nn

from qtrl.commands.model_card import model_card
from qtrl.config.saved import checked_text
from qtrl.config.secrets import refuse_secrets
from qtrl.errors import ConfigError, RunFolderError
from qtrl.files.atomic import write_json, write_text
from qtrl.files.tensors import write_tensors
from qtrl.run.exported import PREFIX, RESULT, WEIGHTS, pretrained_dir

CARD = "README.md"


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
