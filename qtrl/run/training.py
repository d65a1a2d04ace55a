"""One training run, from its config to its result."""

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig, OmegaConf

from qtrl.callbacks import AtomicCheckpointIO, Checkpoints, Preemption, Reproducibility, RunProgress, RunSummary
from qtrl.callbacks.protocols import Source, Test, concluding
from qtrl.config.instantiate import blamed, construct, construct_task, logger_makers
from qtrl.config.overrides import for_shell
from qtrl.config.validation.trainer_flags import check_optimization
from qtrl.errors import CheckpointError, ConfigError, EnvFaultError, QtrlError, RunFolderError
from qtrl.loggers import MetricsCSV
from qtrl.process.launchers import HANDED_DOWN, handed_down
from qtrl.process.quiet import quiet_libraries
from qtrl.process.stopping import Interruption, Stop
from qtrl.process.threads import set_threads
from qtrl.run.checkpoint_checks import check_resumable
from qtrl.run.folder import new_run_dir, rewind
from qtrl.run.provenance import numerics, provenance
from qtrl.run.resolve import resolve
from qtrl.run.result import finished_metric, metric_text
from qtrl.run.settings import AUTO, RunSettings
from qtrl.run.start_from import find_starting_point
from qtrl.run.trainer import make_trainer
from qtrl.tasks import RunContext, RunLength, Task


def run_training(cfg: DictConfig) -> float:
    """Train as the composed config says, and return the metric that `optimized_metric` names."""
    quiet_libraries()
    asked = cfg.resume
    cfg, text = resolve(cfg)
    settings = construct(RunSettings, cfg, logger=logger_makers(cfg.logger))
    folder, metric = settings.folder, settings.optimized_metric
    if asked == AUTO and settings.resume is True:
        finished = finished_metric(folder, metric, construct_task(cfg).length)
        if finished is not None:
            said = f"{metric} {metric_text(metric, finished)}"
            print(f"qtrl: run folder {folder} is complete: {said}", flush=True)
            return finished
    with ExitStack() as held:
        run = _prepare(cfg, text, settings, held)
        try:
            _fit(run)
            _say_ended_early(run)
            if run.trainer.is_global_zero:
                run.task.draw(folder)
        except (RunFolderError, CheckpointError):
            _say_result(run)
            raise
        _say_result(run)
        return run.test.score(metric)


@dataclass(frozen=True)
class Run:
    """Everything of a run, ready to train."""

    settings: RunSettings
    task: Task
    length: RunLength
    trainer: Trainer
    module: LightningModule
    data: Source
    test: Test
    resumed_from: Path | None
    stop: Stop


def _prepare(cfg: DictConfig, text: str, settings: RunSettings, held: ExitStack) -> Run:
    """Build a run, and make its folder once everything but the data was built."""
    torch.set_float32_matmul_precision(settings.matmul_precision)
    start, checkpoint_io = find_starting_point(settings, held), AtomicCheckpointIO()
    with blamed(settings.folder / "config.yaml" if settings.resume is True else None):
        task = construct_task(cfg)
        trainer = make_trainer(settings, checkpoint_io)
        length = task.length(trainer.world_size)
        context = RunContext(
            run_dir=settings.folder,
            seed=settings.seed,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
            num_nodes=trainer.num_nodes,
            device=trainer.strategy.root_device,
            stop=Stop(trainer.world_size),
        )
        set_threads(settings.num_threads, context.world_size)
        module = start.build(lambda: task.make_module(context)) if start else task.make_module(context)
        check_optimization(cfg.trainer, automatic=module.automatic_optimization)
        test = task.make_test(context)
        facts = _facts(settings, task, trainer)
        csv = MetricsCSV(settings.folder / "metrics.csv", task.metric_names(module))
        trainer.callbacks += _callbacks(settings, task, test, context, facts)  # type: ignore[attr-defined]
        trainer.loggers = [csv, *_other_loggers(settings, OmegaConf.to_container(cfg, resolve=True), facts)]
        task.check(module, context)
    resumed = start if start is not None and start.resumes else None
    if resumed is not None:
        check_resumable(module, trainer.callbacks, resumed.checkpoint, resumed.path)  # type: ignore[attr-defined]
        checkpoint_io.hand_out(resumed.path, resumed.checkpoint)  # Lightning restores exactly what is checked here
    if handed_down() is None:  # on rank 0, before other ranks are started
        if resumed is None:
            held.enter_context(new_run_dir(settings, text))
        else:
            rewind(settings, length, text, resumed.checkpoint, csv)
    data = task.make_data(module, context)
    for logger in trainer.loggers if trainer.is_global_zero else ():
        getattr(logger, "experiment", None)  # connects now, which would else count as time of the first update
    _say(trainer, f"run folder {settings.folder}, {task.describe(module, trainer.strategy.root_device)}")
    return Run(settings, task, length, trainer, module, data, test, resumed.path if resumed else None, context.stop)


def _facts(settings: RunSettings, task: Task, trainer: Trainer) -> dict[str, Any]:
    """Return what made the result, and what it must share with others to be compared with them."""
    run = {"experiment": settings.experiment, "label": settings.label, "seed": settings.seed}
    return {**task.facts(), **provenance(), **run, "numerics": numerics(trainer, settings.matmul_precision)}


def _callbacks(
    settings: RunSettings, task: Task, test: Test, context: RunContext, facts: dict[str, Any]
) -> list[Callback]:
    """Make the callbacks, in the order in which they are called: what sums up comes last."""
    length = task.length(context.world_size)
    lengths: dict[str, Any] = {"total_env_steps": length.total, "warmup_env_steps": length.warmup, "unit": length.unit}
    return [
        Reproducibility(facts["numerics"]),
        RunProgress(test, **lengths),
        *task.make_callbacks(context),
        test,  # type: ignore[list-item]
        Checkpoints(settings.folder / "checkpoints", test, every_env_steps=length.checkpoint_every),
        RunSummary(settings.folder / "summary.json", test, **lengths, facts=facts),
        Preemption(context.stop),
    ]


def _other_loggers(settings: RunSettings, config: Any, facts: Mapping[str, Any]) -> list[Logger]:
    options = {"run_name": settings.folder.name, "tags": settings.tags, "config": {**config, **facts}}
    return [make(settings.folder, **options) for make in settings.logger]


def _fit(run: Run) -> None:
    path = str(run.resumed_from) if run.resumed_from else None
    try:
        with run.stop.listening():
            run.trainer.fit(run.module, run.data, ckpt_path=path, weights_only=True)
    except Interruption as interruption:
        at = f"{run.length.unit} {run.data.env_steps:,}"
        stopped = f"stopped by {interruption} at {at}, {_saved(run.settings)} is saved"
        _say(run.trainer, f"{stopped}; resume with: {_resume_command(run.settings)}")
        raise
    except EnvFaultError as error:
        hint = f"mend it, then resume with: {_resume_command(run.settings)}"
        saved = f"{_saved(run.settings)} is saved; {hint}" if run.trainer.world_size == 1 else "see the last checkpoint"
        raise EnvFaultError(f"{error}; the run ends at env step {run.data.env_steps:,}, {saved}") from error
    except SIGTERMException:
        sys.exit(143)  # its own status is 0, which a job script takes for success
    except Exception as error:
        explained = _explained(run, error)
        if explained is None:
            raise
        raise explained from error
    finally:
        os.environ.pop(HANDED_DOWN, None)


def _saved(settings: RunSettings) -> str:
    return "everything" if settings.checkpoint_replay == "last" else "everything but the rows of the replay"


def _resume_command(settings: RunSettings) -> str:
    return f"python -m qtrl.train {for_shell('run_dir', settings.run_dir)} resume=true"


def _explained(run: Run, error: Exception) -> Exception | None:
    if not isinstance(error, QtrlError) and run.resumed_from is not None and not run.data.begun:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return CheckpointError(f"{run.resumed_from} does not fit its run (edited, or of another version?): {reason}")
    return run.task.explain(error, run.module)


def _say_ended_early(run: Run) -> None:
    """Say that a flag of the trainer or a callback ended the run before its last env step.

    Raises:
        ConfigError: It had not learned anything.
    """
    done, total = run.data.env_steps, run.length.total
    if done < total:
        if not run.data.begun:
            raise ConfigError("trainer.max_time or a callback ended the run before its first update: allow it more")
        ended = f"ended at {run.length.unit} {done:,} of {total:,}, by trainer.max_time or a callback"
        _say(run.trainer, f"{ended}; resume with: {_resume_command(run.settings)}")


def _say_result(run: Run) -> None:
    """Say what a run gave, so far as it was tested, whether its files could be written or not."""
    if run.test.last is not None:
        concluded = [line for callback in concluding(run.trainer) for line in callback.conclusions()]
        for line in [*concluded, run.test.result()]:
            _say(run.trainer, line)


def _say(trainer: Trainer, line: str) -> None:
    if trainer.is_global_zero:
        print(f"qtrl: {line}", flush=True)
