"""One training run, from its config to its run folder."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig

from qtrl.algos import TD3
from qtrl.callbacks import AtomicCheckpointIO, TestResult, read_checkpoint
from qtrl.data import Stream
from qtrl.envs import env_spec
from qtrl.errors import CheckpointError, ConfigError, EnvError, QtrlError
from qtrl.matmul import matmul_precision
from qtrl.meters import RunMeters
from qtrl.report import draw_learning_curve
from qtrl.specs import EnvSpec
from qtrl.stopping import Interruption, Stop
from qtrl.threads import set_threads
from qtrl.wiring import build
from qtrl.wiring.matmul import settle_matmul_precision
from qtrl.wiring.numerics import numerics
from qtrl.wiring.opening import LAST, new_run_dir, reopened_run_dir
from qtrl.wiring.provenance import git_commit, versions
from qtrl.wiring.quiet import quiet_libraries
from qtrl.wiring.resume import check_steps_done
from qtrl.wiring.run_folder import HANDED_DOWN, hand_down, handed_down, save_config
from qtrl.wiring.settle import AUTO, settle
from qtrl.wiring.weights import check_resumable, check_widths, load_weights

SIGTERM_STATUS = 143


def run_training(cfg: DictConfig) -> float:
    """Train one agent as `cfg` says.

    Args:
        cfg: The config as composed from the command line.

    Returns:
        The metric that `optimized_metric` names.
    """
    quiet_libraries()
    cfg = settle(cfg)
    with ExitStack() as held:
        return _run(cfg, held)


def _run(cfg: DictConfig, held: ExitStack) -> float:
    run_dir, goes_on, leads = Path(cfg.run_dir), cfg.resume is True, handed_down() is None
    if goes_on and leads:
        held.enter_context(reopened_run_dir(run_dir))
    source = _source(cfg)
    checkpoint = read_checkpoint(source) if source else None
    if checkpoint is not None and source is not None:
        check_widths(cfg, checkpoint, source)
    spec = env_spec(cfg.env.id, max_episode_steps=cfg.env.max_episode_steps)
    facts, stop = _facts(cfg, spec), Stop()
    callbacks = build.build_callbacks(cfg, run_dir, facts, stop)
    loggers = build.build_loggers(cfg, run_dir, facts)
    trainer = build.build_trainer(cfg, run_dir, callbacks=callbacks, logger=loggers)
    ranks = build.Ranks(trainer.global_rank, trainer.world_size)
    stop.world_size = ranks.world_size
    set_threads(cfg.num_threads, ranks.world_size)
    precision = settle_matmul_precision(cfg, ranks.world_size, before=checkpoint if goes_on else None)
    facts["numerics"] |= numerics(cfg, matmul_precision=precision, world_size=ranks.world_size)
    module = build.build_module(cfg, spec, meters=RunMeters(), ranks=ranks)
    if checkpoint is not None and source is not None:
        load_weights(module, checkpoint, source)
    if checkpoint is not None and source is not None and goes_on:
        check_resumable(module, checkpoint, source)
        reader = trainer.strategy.checkpoint_io
        assert isinstance(reader, AtomicCheckpointIO)
        reader.hand_out(source, checkpoint)  # what Lightning restores is what was checked
    if leads and not goes_on:
        held.enter_context(new_run_dir(run_dir, leftovers=cfg.resume == AUTO))
    if leads:
        _prepare(cfg, checkpoint if goes_on else None)
    stream = build.build_stream(cfg, spec, module, run_dir, ranks=ranks, stop=stop)
    if trainer.is_global_zero:
        for logger in loggers:
            getattr(logger, "experiment", None)  # connects now, which would else count as time of the first update
    engine = _engine(module, trainer.strategy.root_device)
    _say(trainer, f"run folder {run_dir}, engine {engine}, matrix products by torch's path {precision!r}")
    with matmul_precision(precision):
        _fit(cfg, trainer, module, stream, source if goes_on else None, stop)
    return _finish(cfg, trainer, callbacks)


def _facts(cfg: DictConfig, spec: EnvSpec) -> dict[str, Any]:
    return {
        "env_id": spec.env_id,
        "observation_size": spec.observation_size,
        "action_size": spec.action_size,
        "experiment": cfg.experiment,
        "seed": cfg.seed,
        "versions": versions(),
        "numerics": {},
        "git_commit": git_commit(),
    }


def _source(cfg: DictConfig) -> Path | None:
    """Name the checkpoint that the run goes on from, or whose weights it starts with."""
    if cfg.resume is True:
        return Path(cfg.run_dir) / LAST
    return Path(cfg.ckpt_path).expanduser() if cfg.ckpt_path is not None else None


def _prepare(cfg: DictConfig, checkpoint: dict[str, Any] | None) -> None:
    """Bring the run folder to the moment of the checkpoint, on rank 0 and before other ranks are started."""
    run_dir = Path(cfg.run_dir)
    if checkpoint is not None:
        check_steps_done(cfg, checkpoint["env_steps"])
        build.build_csv(cfg, run_dir).truncate(checkpoint["env_steps"])
    save_config(cfg, run_dir)
    hand_down(run_dir)


def _fit(cfg: DictConfig, trainer: Trainer, module: TD3, stream: Stream, checkpoint: Path | None, stop: Stop) -> None:
    try:
        with stop.listening():
            trainer.fit(module, stream, ckpt_path=str(checkpoint) if checkpoint else None, weights_only=True)
    except EnvError:
        module.look_at_losses()  # a loss that went unseen on an accelerator is the better reason
        raise
    except QtrlError:
        raise
    except Interruption as interruption:
        hint = f"go on with: python -m qtrl.train run_dir={cfg.run_dir} resume=true"
        _say(trainer, f"stopped by {interruption} at env step {stream.env_steps:,}, everything is saved; {hint}")
        raise
    except SIGTERMException:
        sys.exit(SIGTERM_STATUS)  # its own status is 0, which a job script takes for success
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if checkpoint is not None and not stream.begun:
            raise CheckpointError(
                f"{checkpoint} does not fit its run (edited, or of another version?): {reason}"
            ) from error
        if cfg.algo.get("compile_mode") and type(error).__module__.startswith("torch._"):
            raise ConfigError(f"algo.compile_mode={cfg.algo.compile_mode} failed, set it to null: {reason}") from error
        raise
    finally:
        os.environ.pop(HANDED_DOWN, None)


def _finish(cfg: DictConfig, trainer: Trainer, callbacks: list[Callback]) -> float:
    """Draw the learning curve, say the result, and return the metric that is asked for."""
    run_dir = Path(cfg.run_dir)
    testing = next(callback for callback in callbacks if isinstance(callback, build.Testing))
    if trainer.is_global_zero:
        draw_learning_curve(run_dir / "metrics.csv", run_dir / "learning_curve.png", title=run_dir.name)
    assert testing.last is not None and testing.best is not None
    _say(trainer, _result_line(testing.last, testing.best))
    return {"test/return_mean": testing.last, "test/best_return": testing.best}[cfg.optimized_metric].return_mean


def _engine(module: TD3, device: torch.device) -> str:
    executable = module.actor.block.executable
    return executable.engine_on(device) if executable is not None else "none"


def _result_line(last: TestResult, best: TestResult) -> str:
    result = f"test return {last.return_mean:.1f} ± {last.return_std:.1f} over {len(last.returns)} episodes"
    return f"{result}; best {best.return_mean:.1f} at {best.env_steps:,} env steps"


def _say(trainer: Trainer, line: str) -> None:
    if trainer.is_global_zero:
        print(f"qtrl: {line}", flush=True)
