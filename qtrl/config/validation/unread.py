"""Keys of a composed config that its task does not read: they are left out, and refused where they are asked for."""

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf, open_dict

from qtrl.errors import ConfigError


def leave_out_unread(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Remove from a config what its task says that nobody reads; see `qtrl.tasks.Task`.

    Args:
        cfg: As it was composed; changed in place.
        overrides: Of the command line.

    Raises:
        ConfigError: One of them is about such a key.
    """
    task = OmegaConf.select(cfg, "task._target_")
    try:
        unread = getattr(get_class(task), "UNREAD", ()) if isinstance(task, str) else ()
    except Exception:  # whatever importing it raises is told where it is made
        return
    if not unread:
        return
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key = override.key_or_group.replace("/", ".")
        if key in unread or key.partition(".")[0] in unread:
            kind = task.rpartition(".")[2]
            raise ConfigError(f"{override.input_line} has no effect: no run of {kind} reads {key}; leave it out")
    with open_dict(cfg):
        for key in unread:
            parent, _, name = key.rpartition(".")
            node = OmegaConf.select(cfg, parent) if parent else cfg
            if OmegaConf.is_dict(node):
                node.pop(name, None)
