"""From the config that the command line composed to the config of one run, checked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from qtrl.config.location import config_dir
from qtrl.config.saved import checked_text, trusted
from qtrl.config.secrets import refuse_secrets
from qtrl.config.validation.checks import check_config
from qtrl.config.validation.schema import check_keys
from qtrl.config.validation.unknown import unknown_key
from qtrl.config.validation.unread import leave_out_unread
from qtrl.errors import ConfigError
from qtrl.process.launchers import handed_down
from qtrl.process.moment import moment
from qtrl.run.folder import has_checkpoint
from qtrl.run.resume import resumed_config
from qtrl.run.settings import AUTO


def resolve(cfg: DictConfig) -> tuple[DictConfig, str]:
    """Resolve a composed config to that of one run, which is the saved one where the run resumes, and check it.

    Returns:
        The config, and the text of its `config.yaml`. Its `resume` is true where the run resumes, and `auto` where it
        begins in a folder that may hold what a run left that was killed before its first checkpoint.

    Raises:
        ConfigError: No experiment, a value that is not allowed, or one that a run folder may not hold.
    """
    if not isinstance(cfg.resume, bool) and cfg.resume != AUTO:
        raise ConfigError(f"resume={cfg.resume} is unknown: choices are false, true, {AUTO}")
    if not isinstance(cfg.resume_force, bool):
        raise ConfigError(f"resume_force={cfg.resume_force} is unknown: choices are false, true")
    trusted(cfg)
    if cfg.resume is not True:
        cfg = _named(cfg)
        leave_out_unread(cfg, HydraConfig.get().overrides.task)
    refuse_secrets(cfg)
    if cfg.resume is True or (cfg.resume == AUTO and has_checkpoint(Path(cfg.run_dir))):
        cfg = resumed_config(cfg)
    else:
        check_keys(cfg)
    check_config(cfg)
    return cfg, checked_text(cfg)


def chosen_experiment() -> str:
    """Return the name of the experiment on the command line, or raise a ConfigError with the choices."""
    experiment = HydraConfig.get().runtime.choices.get("experiment")
    if experiment is None:
        folder = Path(config_dir(), "experiment")
        names = sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.yaml"))
        raise ConfigError(f"which experiment? add experiment=NAME; choices are {', '.join(names)}")
    return experiment


def _check_control(control: str | None, overrides: Sequence[str]) -> None:
    """Refuse an override of what a control chooses: the run's label would be wrong."""
    path = Path(config_dir(), "control", f"{control}.yaml")
    if control is None or not path.is_file():
        return
    entries = yaml.safe_load(path.read_text()).get("defaults", [])
    chosen = {key.removeprefix("override /") for entry in entries for key in entry}
    for override in overrides:
        if override.partition("=")[0] in chosen:
            raise ConfigError(
                f"{override} undoes what control={control} chooses: leave out one of them; "
                "in a study controls go with sweep=controls"
            )


def _named(cfg: DictConfig) -> DictConfig:
    hydra, experiment = HydraConfig.get(), chosen_experiment()
    _check_control(hydra.runtime.choices.get("control"), hydra.overrides.task)
    if OmegaConf.is_dict(cfg.get("experiment")):
        raise ConfigError(unknown_key(f"experiment.{next(iter(cfg.experiment))}", ()))
    with open_dict(cfg):
        cfg.experiment = experiment
    if cfg.run_dir is None:
        swept = hydra.mode == RunMode.MULTIRUN
        sweep: Any = OmegaConf.to_container(hydra.sweep, resolve=False)
        stays = swept and "${now:" not in sweep["dir"]
        if cfg.resume == AUTO and not stays:
            add = "hydra.sweep.dir=runs/NAME" if swept else "run_dir=DIR"
            raise ConfigError(f"resume=auto: which folder? add {add}, the same each time")
        name = f"{experiment}-s{cfg.seed}-{moment()}"
        cfg.run_dir = str(handed_down() or (hydra.runtime.output_dir if swept else Path(str(cfg.paths.runs), name)))
    cfg.run_dir = str(Path(str(cfg.run_dir)).expanduser().absolute())
    return cfg
