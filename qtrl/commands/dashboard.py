"""The W&B workspace of a project, from the command line."""

import re
from typing import Any

from omegaconf import DictConfig, OmegaConf

from qtrl.config.secrets import refuse_secrets
from qtrl.errors import ConfigError
from qtrl.loggers.workspace import Plot, definition, save, workspace


def make_dashboard(cfg: DictConfig) -> None:
    """Save the workspace that the composed config describes and print its address, or print its definition."""
    refuse_secrets(cfg)
    for key, meaning in (("entity", "the W&B user or team"), ("project", "the W&B project that holds the runs")):
        if cfg[key] is None:
            raise ConfigError(f"which {key}? give {meaning}, as in {key}=NAME")
        name = str(cfg[key])
        if not (re.fullmatch(r"[^/\\#?%:]{1,128}", name) and name.isprintable()):
            expected = "a name of at most 128 characters, none of them / \\ # ? % :"
            raise ConfigError(f"{key}={name!r} is not allowed: expected {expected}")
    if not isinstance(cfg.save, bool):
        raise ConfigError(f"save={cfg.save} is not allowed: expected true or false")
    made = workspace(str(cfg.entity), str(cfg.project), read_sections(cfg.sections))
    print(f"qtrl: workspace {save(made)}" if cfg.save else definition(made))


def read_sections(node: Any) -> dict[str, list[Plot]]:
    """Read the panels by section.

    Raises:
        ConfigError: A panel is no mapping of the fields of `Plot`.
    """
    try:
        plain: Any = OmegaConf.to_container(node, resolve=True)
        return {name: [_plot(**panel) for panel in panels] for name, panels in plain.items()}
    except (AttributeError, TypeError, ValueError) as error:
        expected = f"for each section a list of mappings with keys out of {', '.join(Plot._fields)}"
        raise ConfigError(f"sections={node} is not allowed: expected {expected}") from error


def _plot(*, metrics: list[str], **fields: Any) -> Plot:
    if not isinstance(metrics, list):
        raise TypeError("metrics must be a list")
    return Plot(metrics=metrics, **fields)
