"""The folder of an earlier run, which a stranger may have made: what may lie in it."""

import re
from pathlib import Path

from qtrl.errors import RunFolderError
from qtrl.files.untrusted import check_tree, read_regular

RUN_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
"""The ids of W&B's runs; matched in full."""


def existing_run_dir(path: object, key: str) -> Path:
    """Find the folder of an earlier run, which the caller names by `key` and a stranger may have made.

    Raises:
        RunFolderError: There is none, it has no config, or it holds links or other things that no run leaves.
    """
    if path is None:
        raise RunFolderError(f"which run? give its folder, as in {key}=runs/NAME")
    folder = Path(str(path)).expanduser().absolute()
    if not (folder / "config.yaml").is_file():
        raise RunFolderError(f"{folder} is not a run folder: it has no config.yaml")
    check_run_tree(folder)
    return folder


def check_run_tree(folder: Path) -> None:
    """Raise a RunFolderError for a folder that holds links or other things that no run leaves.

    In its folder `wandb` W&B makes links, which it replaces but does not follow; only what is read there is checked.
    """
    # TorchRL and tensordict unpickle these where they find them; qtrl neither writes nor reads any.
    check_tree(folder, skipped="wandb", refused={"prefetch.pkl", "other.pickle", "pickle.pkl", "transform.t"})
    settings = folder / "wandb" / "settings"
    if settings.exists():
        raise RunFolderError(f"{str(settings)!r} would change where W&B sends a run: remove it")
    read_run_id(folder / "wandb" / "run_id.txt")


def read_run_id(path: Path) -> str:
    """Read the id under which W&B keeps a run; empty if there is none yet.

    Raises:
        RunFolderError: It is no regular file, or holds no such id.
    """
    try:
        run_id = read_regular(path, limit=200).decode(errors="replace").strip()
    except FileNotFoundError:
        return ""
    if not RUN_ID.fullmatch(run_id):
        raise RunFolderError(f"{path} does not hold the id of a W&B run: remove it")
    return run_id
