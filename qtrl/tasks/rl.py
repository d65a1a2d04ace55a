"""Reinforcement learning: an agent with quantum layers, environments, a replay buffer and test episodes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from lightning.pytorch import Callback, seed_everything
from torch import nn

from qtrl.analysis.drawing.learning_curve import draw_learning_curve
from qtrl.callbacks import Forecast, MetricRows, Probe, QGuard, SaturationGuard, Testing, UpdateFlops, play, test_seeds
from qtrl.envs import Episodes
from qtrl.errors import ConfigError, EnvError
from qtrl.keys import METRICS, RETURN_SCORES, info_metrics, probe_metrics
from qtrl.nn import Block, GradientEstimator, quantum_layers
from qtrl.quantum import Circuit
from qtrl.seeding import seed_for
from qtrl.tasks.base import RunContext, RunLength
from qtrl.tasks.rl_data import RLData


@dataclass(frozen=True, kw_only=True)
class RL(RLData):
    """Off-policy reinforcement learning on an environment of Gymnasium. Attributes are keys of the config.

    Those of its data are described in `RLData`.

    Attributes:
        circuit: Its angles and qubits are the inputs and outputs of the quantum layer, whatever the block.
        block: Makes the block from these two sizes.
        gradient: Makes the gradient estimator from the same sizes.
        actor: Makes the actor from sizes of observation and action, block and `gradient`.
        critic: Makes the critics from sizes of observation and action.
        algo: Makes the LightningModule from actor and critic.
        test_every_env_steps: Interval between tests.
        optimized_metric: What a search receives, one of `RETURN_SCORES`.
    """

    UNREAD: ClassVar = (
        *("dataset", "model", "epochs", "data.validation_share", "data.test_share", "data.split_seed"),
        *("callbacks.validate_every_epochs", "callbacks.checkpoint_every_epochs", "callbacks.log_every_epochs"),
    )

    circuit: Circuit
    block: Callable[[int, int], Block]
    gradient: Callable[[int, int], GradientEstimator]
    actor: Callable[..., Any]
    critic: Callable[..., Any]
    algo: Callable[..., Any]
    test_every_env_steps: int
    optimized_metric: str = RETURN_SCORES[0]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.optimized_metric not in RETURN_SCORES:
            choices = f"choices are {', '.join(RETURN_SCORES)}"
            raise ConfigError(f"optimized_metric={self.optimized_metric} is not measured here: {choices}")

    def facts(self) -> dict[str, Any]:
        """Return the environment's id and sizes."""
        spec = self.spec
        facts = {"env_id": spec.env_id, "observation_size": spec.observation_size, "action_size": spec.action_size}
        return facts | ({"observation_parts": dict(spec.observation_parts)} if spec.observation_parts else {})

    def length(self, world_size: int) -> RunLength:
        """Return the run's length in env steps, the same for any number of ranks."""
        return RunLength(self.total_env_steps, self.checkpoint_every_env_steps, self.warmup_env_steps)

    def make_module(self, context: RunContext) -> Any:
        """Make networks and algorithm; equal on every rank, since the seed is."""
        seed_everything(seed_for(context.seed, "networks") % 2**32, verbose=False)
        spec = self.spec
        block = self.block(self.circuit.n_angles, self.circuit.n_qubits)
        actor = self.actor(spec.observation_size, spec.action_size, block, self.gradient)
        critic = self.critic(spec.observation_size, spec.action_size)
        return self.algo(actor, critic, meters=context.meters, seed=context.seed, rank=context.rank)

    def metric_names(self, module: Any) -> tuple[str, ...]:
        """Name all metrics, those of the quantum layers and their qubits last."""
        n_qubits = {name: layer.block.n_out for name, layer in quantum_layers(module.actor).items()}
        return (*METRICS, *info_metrics(self.log_info), *probe_metrics(n_qubits))

    def describe(self, module: Any, device: torch.device) -> str:
        """Name the engine that runs the circuits on a device."""
        engines = [
            layer.block.executable.engine_on(device)
            for layer in quantum_layers(module.actor).values()
            if layer.block.executable is not None
        ]
        return f"engine {', '.join(dict.fromkeys(engines)) or 'none'}"

    def draw(self, run_dir: Path) -> None:
        """Draw the learning curve."""
        draw_learning_curve(run_dir / "metrics.csv", run_dir / "learning_curve.png", title=run_dir.name)

    def explain(self, error: Exception, module: Any) -> Exception | None:
        """Name a loss that went unseen on an accelerator as the better reason, or the option to turn off."""
        if isinstance(error, EnvError):
            module.check_losses()
        elif module.compile_mode and type(error).__module__.startswith("torch._"):
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            return ConfigError(f"algo.compile_mode={module.compile_mode} failed, set it to null: {reason}")
        return None

    def make_test(self, context: RunContext) -> Testing:
        """Make the callback that plays test episodes."""
        settings = self.callbacks
        return Testing(
            self.spec.env_id,
            episodes=settings["test_episodes"],
            final_episodes=settings["final_test_episodes"],
            every_env_steps=self.test_every_env_steps,
            seed=context.seed,
            cut_after=settings["test_max_episode_steps"],
            test_envs=self.test_envs,
            endless=self.endless,
            options=self.env_options,
            levels=self.env.get("levels") or (),  # runs of earlier versions have none
            stop=context.stop,
            log_info=self.log_info,
            cuda_graphs=self.data["policy_device"] is None,
        )

    def make_callbacks(self, context: RunContext) -> list[Callback]:
        """Make the callbacks that count operations, compare values with their bound, write rows, and probe layers."""
        every, probe_every = (self.callbacks[f"{name}_every_env_steps"] for name in ("log", "probe"))
        updates = self.schedule.updates(self.num_envs * context.world_size)
        replay_bytes = partial(self.replay_bytes, context)
        callbacks: list[Callback] = [
            UpdateFlops(context.meters.flops),
            Forecast(total_env_steps=self.total_env_steps, updates=updates, replay_bytes=replay_bytes),
            QGuard(every_env_steps=every),
            SaturationGuard(every_env_steps=every),
            MetricRows(every_env_steps=every),
        ]
        if probe_every:
            sizes = {"rows": self.callbacks["probe_rows"], "total_env_steps": self.total_env_steps}
            callbacks.append(Probe(every_env_steps=probe_every, seed=context.seed, **sizes))
        return callbacks

    def play(self, actor: nn.Module, *, episodes: int, seed: int, render_first: bool = False) -> Episodes:
        """Play test episodes, with start seeds from `seed` on, as the command `qtrl.eval` asks for."""
        played = play(
            actor,
            self.env["id"],
            test_seeds(episodes, first=seed),
            shots_seed=seed,
            envs_at_once=max(1, self.test_envs),
            render_first=render_first,
            log_info=self.log_info,
            **self.env_options,
        )
        if played.cut:
            self.endless.tell(f"{played.cut} of {episodes} episodes were cut after {max(played.lengths):,} env steps")
        return played
