"""From a checked config to the objects of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf
from torch import nn

from qtrl.algos import TD3
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
from qtrl.keys import METRICS, probe_metrics
from qtrl.loggers import MetricsCSV
from qtrl.meters import RunMeters
from qtrl.nn import Block, quantum_layers
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
    with _explained(node):
        return instantiate(node, **arguments)


def make(node: DictConfig, *arguments: Any, **more: Any) -> Any:
    """Instantiate a config node with `_partial_: true`, and call what it made; errors as of `build`."""
    factory = build(node)
    with _explained(node):
        return factory(*arguments, **more)


@contextmanager
def _explained(node: DictConfig) -> Iterator[None]:
    """Raise errors of qtrl as they are, and others as one that names the node's class."""
    try:
        yield
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, QtrlError):
            raise cause from None
        reason = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
        raise ConfigError(f"{node.get('_target_')} cannot be made: {reason}") from error


def build_block(cfg: DictConfig, n_in: int, n_out: int) -> Block:
    """Make the block of a quantum layer."""
    return make(cfg.block, n_in, n_out)


def build_actor(cfg: DictConfig, spec: EnvSpec) -> nn.Module:
    """Make the actor with its block and the estimator of the block's gradient."""
    block = build_block(cfg, *build_circuit_sizes(cfg))
    return make(cfg.actor, spec.observation_size, spec.action_size, block, build(cfg.gradient))


def build_module(cfg: DictConfig, spec: EnvSpec, *, meters: RunMeters, ranks: Ranks) -> TD3:
    """Make the networks and the algorithm; equal on every rank, since the seed is."""
    seed_everything(seed_for(cfg.seed, "networks") % 2**32, verbose=False)
    actor = build_actor(cfg, spec)
    critic = make(cfg.critic, spec.observation_size, spec.action_size)
    return make(cfg.algo, actor, critic, meters=meters, seed=cfg.seed, rank=ranks.rank)


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


def build_csv(run_dir: Path, actor: nn.Module) -> MetricsCSV:
    """Make the CSV logger, with the columns that the actor's quantum layers need."""
    n_qubits = {name: layer.block.n_out for name, layer in quantum_layers(actor).items()}
    return MetricsCSV(run_dir / "metrics.csv", (*METRICS, *probe_metrics(n_qubits)))


def build_loggers(cfg: DictConfig, run_dir: Path, facts: dict[str, Any], actor: nn.Module) -> list[Logger]:
    """Make the CSV logger, and W&B where the config has it."""
    loggers: list[Logger] = [build_csv(run_dir, actor)]
    if cfg.logger:
        config = OmegaConf.to_container(cfg, resolve=True)
        tags = list(cfg.tags)
        loggers.append(make(cfg.logger, run_dir, run_name=run_dir.name, tags=tags, config={**config, **facts}))  # type: ignore[dict-item]
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
