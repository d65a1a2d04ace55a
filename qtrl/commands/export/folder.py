"""Writes what was trained without its run: weights, plain config, result, description, circuits and model card."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from qtrl.commands.export.card import model_card
from qtrl.commands.export.description import describe
from qtrl.commands.export.exportable import Exportable
from qtrl.config.saved import checked_text
from qtrl.config.secrets import refuse_secrets
from qtrl.errors import ConfigError, RunFolderError
from qtrl.files.atomic import write_json, write_text
from qtrl.files.tensors import write_tensors
from qtrl.run.exported import PREFIX, RESULT, pretrained_dir

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


def export_folder(folder: Path, subject: Exportable, result: dict[str, Any]) -> None:
    """Write an agent or a model. Where its run lay and where it was logged is left out.

    Args:
        folder: Is made; holds nothing yet.
        subject: The weights of its network are written, qtDNN included.
        result: Of a test or of its run, with facts about it.

    Raises:
        RunFolderError: A file cannot be written.
        ConfigError: The config holds a secret.
    """
    refuse_secrets(subject.source.cfg)
    plain = subject.config()
    plain |= {"run_dir": None, "ckpt_path": None, "resume": False, "paths": {"runs": "runs"}, "logger": {}}
    run = PREFIX + folder.name if folder.parent.resolve() == pretrained_dir() else folder.name
    config, card = checked_text(OmegaConf.create(plain)), model_card(subject, folder.name, run, plain, result)
    description, circuits = describe(subject)
    make_folder(folder)
    write_text(folder / "config.yaml", config)
    write_json(folder / RESULT, result)
    write_json(folder / subject.form.description, description)
    for name, program in circuits.items():
        write_text(folder / name, program)
    write_text(folder / CARD, card)
    write_tensors(folder / subject.form.weights, subject.network.state_dict())  # last: it says what the folder is


def make_folder(folder: Path) -> None:
    """Make the folder of what is exported, or raise a RunFolderError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"{folder} cannot be written: {error.strerror}") from error
