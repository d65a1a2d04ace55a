"""One training run, from its config to its run folder."""

import os
import shlex
import sys
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig

from qtrl.algos import TD3
from qtrl.callbacks import Testing, TestResult
from qtrl.config.saved import blamed
from qtrl.data import Stream
from qtrl.envs import env_spec
from qtrl.errors import CheckpointError, ConfigError, EnvError, QtrlError, RunFolderError
from qtrl.loggers import MetricsCSV
from qtrl.meters import RunMeters
from qtrl.process.quiet import quiet_libraries
from qtrl.process.stopping import Interruption, Stop
from qtrl.process.threads import set_threads
from qtrl.report import draw_learning_curve
from qtrl.run import build
from qtrl.run.data import build_stream, check_replay
from qtrl.run.folder import HANDED_DOWN, hand_down, handed_down, save_config
from qtrl.run.lock import new_run_dir
from qtrl.run.numerics import numerics
from qtrl.run.provenance import provenance
from qtrl.run.resolve import AUTO, settle
from qtrl.run.result import finished_metric
from qtrl.run.resume import check_steps_done
from qtrl.run.start_from import Origin, find_origin
from qtrl.specs import EnvSpec

SIGTERM_STATUS = 143


def run_training(cfg: DictConfig) -> float:
    """Train one agent as `cfg` says.

    Args:
        cfg: The config as composed from the command line.

    Returns:
        The metric that `optimized_metric` names.
    """
    quiet_libraries()
    asked, cfg = cfg.resume, settle(cfg)
    finished = finished_metric(cfg) if asked == AUTO and cfg.resume is True else None
    if finished is not None:
        print(f"qtrl: run folder {cfg.run_dir} is complete: {cfg.optimized_metric} {finished:.1f}", flush=True)
        return finished
    with ExitStack() as held:
        run = _build(cfg, held)
        torch.set_float32_matmul_precision(cfg.matmul_precision)
        _fit(run)
        return _finish(run)


@dataclass(frozen=True)
class Run:
    """Everything of a run, ready to train."""

    cfg: DictConfig
    trainer: Trainer
    module: TD3
    stream: Stream
    testing: Testing
    stop: Stop
    origin: Origin | None


def _build(cfg: DictConfig, held: ExitStack) -> Run:
    """Build a run, and its folder once everything but the replay was built."""
    run_dir, origin = Path(cfg.run_dir), find_origin(cfg, held)
    goes_on_from = origin.checkpoint if origin is not None and origin.goes_on else None
    with blamed(run_dir / "config.yaml") if cfg.resume is True else nullcontext():
        spec = env_spec(cfg.env.id, max_episode_steps=cfg.env.max_episode_steps)
        facts, stop = _facts(cfg, spec), Stop()
        callbacks = build.build_callbacks(cfg, run_dir, facts, stop)
        loggers = build.build_loggers(cfg, run_dir, facts)
        trainer = build.build_trainer(cfg, run_dir, callbacks=callbacks, logger=loggers)
        ranks = build.Ranks(trainer.global_rank, trainer.world_size)
        stop.world_size = ranks.world_size
        set_threads(cfg.num_threads, ranks.world_size)
        facts["numerics"] |= numerics(cfg, world_size=ranks.world_size)
        module = build.build_module(cfg, spec, meters=RunMeters(), ranks=ranks)
    if origin is not None:
        origin.fill(module, trainer)
    check_replay(cfg, spec, module, run_dir, ranks=ranks)
    if handed_down() is None:
        _open(cfg, held, loggers, goes_on_from)
    stream = build_stream(cfg, spec, module, run_dir, ranks=ranks, stop=stop)
    testing = next(callback for callback in callbacks if isinstance(callback, Testing))
    _connect(trainer)
    engine = _engine(module, trainer.strategy.root_device)
    _say(trainer, f"run folder {run_dir}, engine {engine}")
    return Run(cfg, trainer, module, stream, testing, stop, origin)


def _facts(cfg: DictConfig, spec: EnvSpec) -> dict[str, Any]:
    run = {"experiment": cfg.experiment, "label": cfg.get("label"), "seed": cfg.seed}
    return provenance(spec) | run | {"numerics": {}}


def _open(cfg: DictConfig, held: ExitStack, loggers: list[Logger], checkpoint: dict[str, Any] | None) -> None:
    """Make the run folder, or bring it to the moment of the checkpoint; on rank 0, before other ranks are started."""
    run_dir = Path(cfg.run_dir)
    if checkpoint is not None:
        check_steps_done(cfg, checkpoint["collected_env_steps"])
        next(logger for logger in loggers if isinstance(logger, MetricsCSV)).truncate(checkpoint["csv_rows"])
    else:
        held.enter_context(new_run_dir(run_dir, leftovers=cfg.resume == AUTO))
    try:
        save_config(cfg, run_dir)
    except RunFolderError:
        with suppress(OSError):  # a folder that holds nothing yet would only be in the way of the next try
            (run_dir / "checkpoints").rmdir()
            run_dir.rmdir()
        raise
    hand_down(run_dir)


def _connect(trainer: Trainer) -> None:
    """Let loggers connect, which would else count as time of the first update."""
    if trainer.is_global_zero:
        for logger in trainer.loggers:
            getattr(logger, "experiment", None)


def _fit(run: Run) -> None:
    path = run.origin.path if run.origin is not None and run.origin.goes_on else None
    try:
        with run.stop.listening():
            run.trainer.fit(run.module, run.stream, ckpt_path=str(path) if path else None, weights_only=True)
    except EnvError:
        run.module.look_at_losses()  # a loss that went unseen on an accelerator is the better reason
        raise
    except QtrlError:
        raise
    except Interruption as interruption:
        saved = "everything" if run.cfg.checkpoint_replay == "last" else "everything but the rows of the replay"
        where = f"at env step {run.stream.env_steps:,}"
        hint = f"go on with: python -m qtrl.train run_dir={shlex.quote(run.cfg.run_dir)} resume=true"
        _say(run.trainer, f"stopped by {interruption} {where}, {saved} is saved; {hint}")
        raise
    except SIGTERMException:
        sys.exit(SIGTERM_STATUS)  # its own status is 0, which a job script takes for success
    except Exception as error:
        explained = _explained(run, error, path)
        if explained is None:
            raise
        raise explained from error
    finally:
        os.environ.pop(HANDED_DOWN, None)


def _explained(run: Run, error: Exception, checkpoint: Path | None) -> QtrlError | None:
    """Say what an error of torch or Lightning means, where that is known."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    mode = run.cfg.algo.get("compile_mode")
    if checkpoint is not None and not run.stream.begun:
        return CheckpointError(f"{checkpoint} does not fit its run (edited, or of another version?): {reason}")
    if mode and type(error).__module__.startswith("torch._"):
        return ConfigError(f"algo.compile_mode={mode} failed, set it to null: {reason}")
    return None


def _finish(run: Run) -> float:
    """Draw the learning curve, say the result, and return the metric that is asked for."""
    run_dir, last, best = Path(run.cfg.run_dir), run.testing.last, run.testing.best
    if run.trainer.is_global_zero:
        draw_learning_curve(run_dir / "metrics.csv", run_dir / "learning_curve.png", title=run_dir.name)
    assert last is not None and best is not None
    _say(run.trainer, _result_line(last, best))
    return {"test/return_mean": last, "test/best_return": best}[run.cfg.optimized_metric].return_mean


def _engine(module: TD3, device: torch.device) -> str:
    executable = module.actor.block.executable
    return executable.engine_on(device) if executable is not None else "none"


def _result_line(last: TestResult, best: TestResult) -> str:
    result = f"test return {last.return_mean:.1f} ± {last.return_std:.1f} over {len(last.returns)} episodes"
    return f"{result}; best {best.return_mean:.1f} at {best.env_steps:,} env steps"


def _say(trainer: Trainer, line: str) -> None:
    if trainer.is_global_zero:
        print(f"qtrl: {line}", flush=True)
