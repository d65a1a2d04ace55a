"""From a checked config to the objects of a run."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_class, instantiate
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf
from torch.optim import Optimizer

from qtrl.algos import TD3, TD3Settings
from qtrl.callbacks import (
    AtomicCheckpointIO,
    Checkpoints,
    MetricRows,
    Preemption,
    Probe,
    QGuard,
    Reproducibility,
    RunProgress,
    RunSummary,
    Testing,
)
from qtrl.errors import ConfigError, QtrlError
from qtrl.keys import METRICS, qubit_metrics
from qtrl.loggers import MetricsCSV
from qtrl.meters import RunMeters
from qtrl.nn import Block, Direct, GradientEstimator, HybridActor, TwinCritic
from qtrl.process.stopping import Stop
from qtrl.seeding import seed_for
from qtrl.specs import EnvSpec


@dataclass(frozen=True)
class Ranks:
    """This process among those of the run.

    Attributes:
        rank: Its number.
        world_size: How many there are.
    """

    rank: int = 0
    world_size: int = 1


def build_circuit_sizes(cfg: DictConfig) -> tuple[int, int]:
    """Return the number of inputs and outputs of the block: the circuit's angles and qubits, whatever the block."""
    circuit = build(cfg.circuit)
    return circuit.n_angles, circuit.n_qubits


def build(node: DictConfig, **arguments: Any) -> Any:
    """Instantiate a config node; errors of qtrl come through as they are.

    Raises:
        ConfigError: The node's class does not take what it was given.
    """
    try:
        return instantiate(node, **arguments)
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, QtrlError):
            raise cause from None
        reason = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
        raise ConfigError(f"{node.get('_target_')} cannot be made: {reason}") from error


def build_block(cfg: DictConfig, n_in: int, n_out: int) -> Block:
    """Make the actor's block."""
    node = OmegaConf.masked_copy(cfg.block, [key for key in cfg.block if key != "angle_scale"])
    node._set_parent(cfg)
    return build(node)(n_in, n_out)


def build_actor(cfg: DictConfig, spec: EnvSpec) -> HybridActor:
    """Make the actor with its block; a run folder of an earlier version names no class."""
    block = build_block(cfg, *build_circuit_sizes(cfg))
    make = build(cfg.actor) if "actor" in cfg else HybridActor
    return make(
        spec.observation_size,
        spec.action_size,
        block,
        hidden=cfg.algo.hidden,
        links=cfg.algo.links,
        angle_scale=cfg.block.angle_scale,
    )


def build_module(cfg: DictConfig, spec: EnvSpec, *, meters: RunMeters, ranks: Ranks) -> TD3:
    """Make the networks and the algorithm; equal on every rank, since the seed is."""
    seed_everything(seed_for(cfg.seed, "networks") % 2**32, verbose=False)
    actor = build_actor(cfg, spec)
    block = actor.block
    estimator: GradientEstimator = build(cfg.surrogate)(block.n_in, block.n_out) if block.surrogate else Direct()
    estimator.check(block)
    critic = TwinCritic(spec.observation_size, spec.action_size, hidden=cfg.algo.hidden)
    optimizers = ("actor_optimizer", "critic_optimizer", "surrogate_optimizer")
    return get_class(cfg.algo._target_)(
        actor,
        critic,
        estimator,
        settings=TD3Settings(**{field.name: cfg.algo[field.name] for field in fields(TD3Settings)}),
        max_gradient_norm=cfg.algo.get("max_gradient_norm"),
        compile_mode=cfg.algo.get("compile_mode"),
        meters=meters,
        seed=cfg.seed,
        rank=ranks.rank,
        **{name: build_optimizer(cfg.algo[name]) for name in optimizers},
    )


def build_optimizer(node: DictConfig) -> Callable[[Any], Optimizer]:
    """Make what makes an optimizer, and try it, so that a wrong argument is said before the run begins."""
    make = build(node)
    try:
        make([torch.nn.Parameter(torch.zeros(1))])
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(f"{node._target_} cannot be made: {error}") from error
    return make


def build_callbacks(cfg: DictConfig, run_dir: Path, facts: dict[str, Any], stop: Stop) -> list[Callback]:
    """Make the callbacks, in the order in which they are called: what sums up comes last."""
    log_every = cfg.callbacks.log_every_env_steps
    testing = Testing(
        cfg.env.id,
        episodes=cfg.callbacks.test_episodes,
        final_episodes=cfg.callbacks.get("final_test_episodes"),
        every_env_steps=cfg.test_every_env_steps,
        seed=cfg.seed,
        max_episode_steps=cfg.callbacks.test_max_episode_steps or cfg.env.max_episode_steps,
        stop=stop,
    )
    steps = {"total_env_steps": cfg.total_env_steps, "warmup_env_steps": cfg.warmup_env_steps}
    return [
        Reproducibility(facts["numerics"]),
        RunProgress(testing, **steps),
        QGuard(every_env_steps=log_every),
        MetricRows(every_env_steps=log_every),
        *build_probe(cfg),
        testing,
        Checkpoints(run_dir / "checkpoints", testing, every_env_steps=cfg.checkpoint_every_env_steps),
        RunSummary(run_dir / "summary.json", testing, warmup_env_steps=cfg.warmup_env_steps, facts=facts),
        Preemption(stop),
    ]


def build_probe(cfg: DictConfig) -> list[Probe]:
    """Make the probe of the quantum layer, where the config has one; a run folder of an earlier version has none."""
    every = cfg.callbacks.get("probe_every_env_steps")
    return [Probe(rows=cfg.callbacks.probe_rows, every_env_steps=every, seed=cfg.seed)] if every else []


def build_csv(cfg: DictConfig, run_dir: Path) -> MetricsCSV:
    """Make the CSV logger, with the columns that the run's circuit needs."""
    _, n_qubits = build_circuit_sizes(cfg)
    return MetricsCSV(run_dir / "metrics.csv", (*METRICS, *qubit_metrics(n_qubits)))


def build_loggers(cfg: DictConfig, run_dir: Path, facts: dict[str, Any]) -> list[Logger]:
    """Make the CSV logger, and W&B where the config has it."""
    loggers: list[Logger] = [build_csv(cfg, run_dir)]
    if cfg.logger:
        config = OmegaConf.to_container(cfg, resolve=True)
        make = build(cfg.logger)
        loggers.append(make(run_dir, run_name=run_dir.name, tags=list(cfg.tags), config={**config, **facts}))  # type: ignore[dict-item]
    return loggers


def build_trainer(cfg: DictConfig, run_dir: Path, *, callbacks: list[Callback], logger: list[Logger]) -> Trainer:
    """Make the Trainer; everything that it would do by itself and that qtrl does is switched off."""
    return build(
        cfg.trainer,
        default_root_dir=str(run_dir),
        deterministic=cfg.deterministic,
        plugins=[AtomicCheckpointIO()],
        callbacks=callbacks,
        logger=logger,
        max_epochs=1,
        max_steps=-1,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
