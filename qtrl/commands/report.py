"""A report about finished runs, from their folders alone."""

import shlex
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, ListConfig, OmegaConf

from qtrl.analysis.page.tables import format_levels, format_table
from qtrl.analysis.page.write import write_report
from qtrl.analysis.runs.study import Study, read_study
from qtrl.analysis.statistics.levels import level_rows, levels_of
from qtrl.analysis.statistics.table import table
from qtrl.commands.command_line import printable
from qtrl.commands.uploads import print_address, report_wandb_run
from qtrl.config.nested import leaves
from qtrl.config.saved import read_config, trusted
from qtrl.config.secrets import refuse_secrets
from qtrl.errors import ConfigError, RunFolderError
from qtrl.keys import LEVELS_RULE, are_levels
from qtrl.loggers.artifacts import log_report

LONGEST = 200


def run_report(cfg: DictConfig) -> list[Path]:
    """Compare runs as the composed config says, print the table, write the report and return its files."""
    refuse_secrets(cfg)
    folders = _folders(cfg.runs)
    _check_texts(cfg)
    _check_levels(cfg.levels)
    out, trust = _out(cfg.out, folders[0]), trusted(cfg)
    study = read_study(folders, read_config=lambda folder: dict(leaves(read_config(folder / "config.yaml", trust))))
    _tell(study)
    wandb_run = report_wandb_run(out, next(iter(study.runs.values()))[0].path, trust) if cfg.log else None
    rows = table(study, reference=cfg.reference, primary=cfg.primary)
    levels = level_rows(study, levels_of(study) if cfg.levels is None else cfg.levels)
    title = cfg.title or f"Comparison of blocks on {study.subject or 'one environment'}"
    command = shlex.join(["python", "-m", "qtrl.report", *HydraConfig.get().overrides.task])
    print(
        format_table(rows, reference=cfg.reference, measure=study.measure), flush=True
    )  # before anything that may not be writable
    if levels:
        print(format_levels(levels, study.measure), flush=True)
    files = write_report(study, rows, out, levels=levels, reference=cfg.reference, title=title, command=command)
    for path in files:
        print(f"qtrl: {path}")
    if wandb_run is not None:
        print_address(log_report(wandb_run, files))
    return files


def _folders(runs: Any) -> list[Path]:
    names = list(runs) if isinstance(runs, ListConfig) else [runs]
    if not names or None in names:
        raise ConfigError("which runs? give a folder, as in runs=runs/study/pendulum, or several: runs='[A,B]'")
    if not all(isinstance(name, str) and name for name in names):
        raise ConfigError(f"runs={names} is not allowed: expected folders")
    return [Path(name).expanduser() for name in names]


def _check_texts(cfg: DictConfig) -> None:
    if not isinstance(cfg.reference, str) or not cfg.reference:
        raise ConfigError(f"reference={cfg.reference} is not allowed: expected the label of a block, such as pqc")
    if not isinstance(cfg.primary, ListConfig) or not all(isinstance(label, str) for label in cfg.primary):
        raise ConfigError(f"primary={cfg.primary} is not allowed: expected labels, as in primary='[pqc,fc]'")
    if not isinstance(cfg.log, bool):
        raise ConfigError(f"log={cfg.log} is unknown: choices are false, true")
    if cfg.title is not None and not (isinstance(cfg.title, str) and 0 < len(cfg.title) <= LONGEST):
        raise ConfigError(f"title={str(cfg.title)[:LONGEST]!r} is not allowed: expected at most {LONGEST} characters")


def _check_levels(levels: Any) -> None:
    if levels is not None and not are_levels(list(levels) if OmegaConf.is_list(levels) else levels):
        raise ConfigError(f"levels={str(levels)[:LONGEST]} is not allowed: expected {LEVELS_RULE}, or null")


def _out(out: object, first: Path) -> Path:
    """Return where the report goes; a folder of runs may come from somebody whose links lead elsewhere."""
    if out is None:
        folder = first / "report"
        if folder.is_symlink():
            raise RunFolderError(f"{str(folder)!r} is a link: remove it, or say where to write with out=DIR")
        return folder
    if not isinstance(out, str) or not out:
        raise ConfigError(f"out={out} is not allowed: expected a folder")
    return Path(out).expanduser()


def _tell(study: Study) -> None:
    """Print what is left out and the warnings; without any run raise a RunFolderError."""
    if not study.runs:
        first = f"; the first: {study.skipped[0].path}: {study.skipped[0].reason}" if study.skipped else ""
        raise RunFolderError(f"no complete run found, {len(study.skipped)} folders left out{first}")
    for skipped in study.skipped:
        print(printable(f"qtrl: left out {skipped.path}: {skipped.reason}"))
    for warning in study.warnings:
        print(printable(f"qtrl: warning: {warning}"))
