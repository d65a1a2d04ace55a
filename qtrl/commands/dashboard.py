"""The W&B workspace of a project, from the command line."""

import re

from omegaconf import DictConfig

from qtrl.config.secrets import refuse_secrets
from qtrl.errors import ConfigError
from qtrl.loggers.workspace import definition, save, workspace

NAME = re.compile(r"[^/\\#?%:]{1,128}")
"""What W&B allows in the name of a project."""
OWNERS = {"entity": "the W&B user or team", "project": "the W&B project that holds the runs"}


def make_dashboard(cfg: DictConfig) -> None:
    """Save the workspace that the composed config describes and print its address, or print its definition."""
    refuse_secrets(cfg)
    for key, meaning in OWNERS.items():
        if cfg[key] is None:
            raise ConfigError(f"which {key}? give {meaning}, as in {key}=NAME")
        name = str(cfg[key])
        if not (NAME.fullmatch(name) and name.isprintable()):
            expected = "a name of at most 128 characters, none of them / \\ # ? % :"
            raise ConfigError(f"{key}={name!r} is not allowed: expected {expected}")
    if not isinstance(cfg.save, bool):
        raise ConfigError(f"save={cfg.save} is not allowed: expected true or false")
    made = workspace(str(cfg.entity), str(cfg.project))
    print(f"qtrl: workspace {save(made)}" if cfg.save else definition(made))
