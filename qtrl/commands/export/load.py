"""From the run that a command line names to what is exported of it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from hydra.utils import get_class
from omegaconf import DictConfig

from qtrl.commands.agent import make_agent, open_run
from qtrl.commands.export.agents.agent_export import AgentExport
from qtrl.commands.export.exportable import Exportable
from qtrl.commands.export.models.model_export import load_model_export
from qtrl.config.instantiate import blamed
from qtrl.errors import ConfigError
from qtrl.run.saved_run import SavedRun
from qtrl.tasks import RL, Supervised

MAKERS: Mapping[type, Callable[[SavedRun], Exportable]] = MappingProxyType(
    {RL: lambda run: AgentExport(make_agent(run)), Supervised: load_model_export}
)
"""What makes of a saved run what is exported of it, by the class of its task."""


def load_exportable(options: DictConfig) -> Exportable:
    """Make what the checked options of the command line name.

    Raises:
        QtrlError: The run cannot be read, is of another task, or its checkpoint does not fit its config.
    """
    run = open_run(options)
    with blamed(run.run_dir / "config.yaml"):
        kind = get_class(str(run.cfg.task._target_))
        for base, make in MAKERS.items():
            if issubclass(kind, base):
                return make(run)
    raise ConfigError(
        f"{run.run_dir} is a run of {kind.__name__}; qtrl.export writes agents of task=rl, models of task=supervised"
    )
