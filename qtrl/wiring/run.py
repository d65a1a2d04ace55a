"""One training run, from its config to its run folder."""

import os
import sys
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch import Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig, open_dict

from qtrl.algos import TD3
from qtrl.callbacks import TestResult, read_checkpoint
from qtrl.envs import env_spec
from qtrl.errors import ConfigError, EnvError
from qtrl.matmul import matmul_precision
from qtrl.meters import RunMeters
from qtrl.report import draw_learning_curve
from qtrl.specs import EnvSpec
from qtrl.threads import set_threads
from qtrl.wiring import build
from qtrl.wiring.checks import check_config
from qtrl.wiring.command import config_dir
from qtrl.wiring.matmul import settle_matmul_precision
from qtrl.wiring.provenance import git_commit, versions
from qtrl.wiring.quiet import quiet_libraries
from qtrl.wiring.resume import check_steps_done, resumed_config
from qtrl.wiring.run_folder import (
    HANDED_DOWN,
    default_run_dir,
    existing_run_dir,
    hand_down,
    handed_down,
    make_run_dir,
    save_config,
)
from qtrl.wiring.weights import load_weights

SIGTERM_STATUS = 143


def settle(cfg: DictConfig) -> DictConfig:
    """Turn a composed config into the config of one run: the run's own one where it is resumed; checked.

    Raises:
        ConfigError: No experiment, or a value that is not allowed.
    """
    hydra = HydraConfig.get()
    if cfg.resume:
        cfg = resumed_config(
            existing_run_dir(cfg.run_dir, "run_dir"), list(hydra.overrides.task), force=cfg.resume_force
        )
    else:
        experiment = hydra.runtime.choices.get("experiment")
        if experiment is None:
            names = sorted(path.stem for path in Path(config_dir(), "experiment").glob("*.yaml"))
            raise ConfigError(f"which experiment? add experiment=NAME; choices are {', '.join(names)}")
        with open_dict(cfg):
            cfg.experiment = experiment
        if cfg.run_dir is None:
            swept = hydra.mode == RunMode.MULTIRUN
            path = hydra.runtime.output_dir if swept else default_run_dir(cfg.paths.runs, experiment, cfg.seed)
            cfg.run_dir = str(handed_down() or path)
        cfg.run_dir = str(Path(cfg.run_dir).expanduser().absolute())
    check_config(cfg)
    return cfg


def run_training(cfg: DictConfig) -> float:
    """Train one agent as `cfg` says.

    Args:
        cfg: The config as composed from the command line.

    Returns:
        The metric that `optimized_metric` names.
    """
    quiet_libraries()
    cfg = settle(cfg)
    run_dir = Path(cfg.run_dir)
    spec = env_spec(cfg.env.id, max_episode_steps=cfg.env.max_episode_steps)
    facts = _facts(cfg, spec)
    callbacks = build.build_callbacks(cfg, run_dir, facts)
    loggers = build.build_loggers(cfg, run_dir, facts)
    trainer = build.build_trainer(cfg, run_dir, callbacks=callbacks, logger=loggers)
    ranks = build.Ranks(trainer.global_rank, trainer.world_size)
    set_threads(cfg.num_threads, ranks.world_size)
    precision = facts["matmul_precision"] = settle_matmul_precision(cfg, ranks.world_size)
    module = build.build_module(cfg, spec, meters=RunMeters(), ranks=ranks)
    checkpoint = _start_weights(cfg, module)
    if handed_down() is None:
        _open_run_dir(cfg)
    stream = build.build_stream(cfg, spec, module, run_dir, ranks=ranks)
    if trainer.is_global_zero:
        for logger in loggers:
            getattr(logger, "experiment", None)  # connects now, which would else count as time of the first update
    engine = _engine(module, trainer.strategy.root_device)
    _say(trainer, f"run folder {run_dir}, engine {engine}, matrix products by torch's path {precision!r}")
    with matmul_precision(precision):
        _fit(cfg, trainer, module, stream, checkpoint)
    testing = next(callback for callback in callbacks if isinstance(callback, build.Testing))
    if trainer.is_global_zero:
        draw_learning_curve(run_dir / "metrics.csv", run_dir / "learning_curve.png", title=run_dir.name)
    assert testing.last is not None and testing.best is not None
    _say(trainer, _result_line(testing.last, testing.best))
    return {"test/return_mean": testing.last, "test/best_return": testing.best}[cfg.optimized_metric].return_mean


def _facts(cfg: DictConfig, spec: EnvSpec) -> dict[str, Any]:
    return {
        "env_id": spec.env_id,
        "observation_size": spec.observation_size,
        "action_size": spec.action_size,
        "experiment": cfg.experiment,
        "seed": cfg.seed,
        "versions": versions(),
        "git_commit": git_commit(),
    }


def _start_weights(cfg: DictConfig, module: TD3) -> Path | None:
    """Check the checkpoint of a resumed run, or take the weights of another; return what Lightning restores."""
    if cfg.resume:
        path = Path(cfg.run_dir) / "checkpoints" / "last.ckpt"
        checkpoint = read_checkpoint(path)
        check_steps_done(cfg, checkpoint["env_steps"])
        load_weights(module, checkpoint, path)
        return path
    if cfg.ckpt_path is not None:
        path = Path(cfg.ckpt_path).expanduser()
        load_weights(module, read_checkpoint(path), path)
    return None


def _open_run_dir(cfg: DictConfig) -> None:
    """Make or reopen the run folder, on rank 0 and before other ranks are started."""
    run_dir = Path(cfg.run_dir)
    if cfg.resume:
        checkpoint = read_checkpoint(run_dir / "checkpoints" / "last.ckpt")
        build.build_csv(cfg, run_dir).truncate(checkpoint["env_steps"])
    else:
        make_run_dir(run_dir)
    save_config(cfg, run_dir)
    hand_down(run_dir)


def _fit(cfg: DictConfig, trainer: Trainer, module: TD3, stream: Any, checkpoint: Path | None) -> None:
    try:
        trainer.fit(module, stream, ckpt_path=str(checkpoint) if checkpoint else None, weights_only=True)
    except EnvError:
        module.look_at_losses()  # a loss that went unseen on an accelerator is the better reason
        raise
    except Exception as error:
        if cfg.algo.get("compile_mode") and type(error).__module__.startswith("torch._"):
            reason = str(error).strip().splitlines()[0]
            raise ConfigError(f"algo.compile_mode={cfg.algo.compile_mode} failed, set it to null: {reason}") from error
        raise
    except SIGTERMException:
        sys.exit(SIGTERM_STATUS)  # its own status is 0, which a job script takes for success
    finally:
        os.environ.pop(HANDED_DOWN, None)


def _engine(module: TD3, device: torch.device) -> str:
    executable = module.actor.block.executable
    return executable.engine_on(device) if executable is not None else "none"


def _result_line(last: TestResult, best: TestResult) -> str:
    result = f"test return {last.return_mean:.1f} ± {last.return_std:.1f} over {len(last.returns)} episodes"
    return f"{result}; best {best.return_mean:.1f} at {best.env_steps:,} env steps"


def _say(trainer: Trainer, line: str) -> None:
    if trainer.is_global_zero:
        print(f"qtrl: {line}", flush=True)
