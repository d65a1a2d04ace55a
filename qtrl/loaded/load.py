"""The loader of a run: `qtrl.load("runs/NAME")`."""

import os
import pkgutil
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import torch
from omegaconf import OmegaConf

from qtrl.config.nested import at, shown
from qtrl.errors import ConfigError, QtrlError, RunFolderError
from qtrl.process.devices import usable_device
from qtrl.quantum import Engine, make_engine
from qtrl.run.saved_run import check_reading, open_saved_run

if TYPE_CHECKING:  # an agent needs Gymnasium, a model does not
    from qtrl.loaded.agent import Agent
    from qtrl.loaded.model import Model

MAKERS = {"qtrl.tasks.RL": "qtrl.loaded.agent:make_agent", "qtrl.tasks.Supervised": "qtrl.loaded.model:make_model"}
"""What makes of a saved run what its task has learned. Takes the run, its config as plain data, a seed, a device."""


def load(
    run: str | os.PathLike[str],
    *,
    checkpoint: str = "last",
    engine: str | Engine | None = None,
    shots: int | None = None,
    readout_error: float | None = None,
    seed: int = 0,
    device: str | torch.device = "cpu",
    trust: Collection[str] = (),
) -> Union["Agent", "Model"]:
    """Load the agent of a run, or of `task=supervised` its model, from its folder alone.

    The folder may be a stranger's: it is judged as `qtrl.eval` judges it, and no code of theirs is run.

    Args:
        run: The run folder, that of an exported agent or model, or `pretrained/NAME` for an agent that comes with
            qtrl.
        checkpoint: `last` or `best`.
        engine: What runs the circuit: a name, or an engine; None for the run's own.
        shots: Measurements of each observation's circuit; None for the run's own.
        readout_error: Probability with which a measured bit is read as the other one, from 0 to 0.5; None for the
            run's own.
        seed: Seeds the block's random draws, so that the same calls give the same actions or predictions.
        device: Where the networks are.
        trust: Classes and environment ids of your own that the folder's config may name.

    Returns:
        An `Agent`, or a `Model`.

    Raises:
        QtrlError: In one line, why not: there is no such run, it is damaged or names what is not trusted, its
            environment cannot be made here, or an option does not fit it.
    """
    shots = check_reading(checkpoint, shots, readout_error)
    if trust is None or isinstance(trust, str):
        raise ConfigError(f"trust={trust!r} is not allowed: expected names as in trust=['my_package.blocks.Cosine']")
    try:
        place = usable_device(device)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"device={device!r} cannot be used here: give cpu, or cuda where there is a GPU") from error
    made = make_engine(engine) if isinstance(engine, str) else engine
    block: dict[str, Any] = {"shots": shots, "readout_error": readout_error, "engine": None if made is None else {}}
    try:
        saved = open_saved_run(os.fspath(run), checkpoint, block=block, trust=frozenset(trust))
        plain: Any = OmegaConf.to_container(saved.cfg)
        task = at(plain, "task._target_")
        if task not in MAKERS:
            known = ", ".join(MAKERS)
            raise ConfigError(f"{saved.run_dir} is a run of {shown(task)}; qtrl.load is for those of {known}")
        if made is not None:
            plain["block"]["engine"] = made
        return pkgutil.resolve_name(MAKERS[task])(saved, plain, seed=seed, device=place)
    except QtrlError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        made_of = f"{Path(run) / 'config.yaml'} does not describe what can be made"
        raise RunFolderError(f"{made_of}; was it edited? {reason!r}") from error
