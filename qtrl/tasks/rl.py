"""Reinforcement learning: an agent with quantum layers, environments, a replay buffer and test episodes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, seed_everything

from qtrl.analysis.drawing.learning_curve import draw_learning_curve
from qtrl.callbacks import MetricRows, Probe, QGuard, Testing, play, test_seeds
from qtrl.data import Exploration, Schedule, Stream
from qtrl.envs import VECTORS, Episodes, env_spec
from qtrl.errors import ConfigError, EnvError
from qtrl.keys import METRICS, probe_metrics
from qtrl.nn import Block, GradientEstimator, quantum_layers
from qtrl.quantum import Circuit
from qtrl.seeding import seed_for
from qtrl.specs import EnvSpec
from qtrl.tasks.base import RunContext
from qtrl.tasks.rl_data import RLData


@dataclass(frozen=True, kw_only=True)
class RL:
    """Off-policy reinforcement learning on an environment of Gymnasium. Attributes are keys of the config.

    Attributes:
        env: The environment: `id` and the options of `qtrl.envs.make_vector_env`.
        circuit: Its angles and qubits are the inputs and outputs of the quantum layer, whatever the block.
        block: Makes the block from these two sizes.
        gradient: Makes the gradient estimator from the same sizes.
        actor: Makes the actor from sizes of observation and action, block and `gradient`.
        critic: Makes the critics from sizes of observation and action.
        exploration: Makes the actor's actions exploratory while transitions are collected.
        algo: Makes the LightningModule from actor and critic.
        data: Batch size, replay buffer and collector.
        callbacks: How often, and over how many episodes, the run is tested, probed and logged.
        total_env_steps: Env steps of the run, over all ranks and environments.
        warmup_env_steps: Those with random actions and without updates.
        updates_per_env_step: Updates owed for each env step after warm-up.
        num_envs: Environments of each rank.
        test_every_env_steps: Interval between tests.
        checkpoint_every_env_steps: Interval between checkpoints.
        checkpoint_replay: `last` where a checkpoint brings the rows of the replay buffer, `none` where it does not.
    """

    env: Mapping[str, Any]
    circuit: Circuit
    block: Callable[[int, int], Block]
    gradient: Callable[[int, int], GradientEstimator]
    actor: Callable[..., Any]
    critic: Callable[..., Any]
    exploration: Exploration
    algo: Callable[..., Any]
    data: Mapping[str, Any]
    callbacks: Mapping[str, Any]
    total_env_steps: int
    warmup_env_steps: int
    updates_per_env_step: float
    num_envs: int
    test_every_env_steps: int
    checkpoint_every_env_steps: int
    checkpoint_replay: str

    def __post_init__(self) -> None:
        overlap, vector = self.data["overlap"], VECTORS[self.env["vector"]]
        if overlap and not vector.steps_beside:
            others = " or ".join(name for name, kind in VECTORS.items() if kind.steps_beside)
            raise ConfigError(f"data.overlap=true needs environments beside the learner: set env.vector={others}")
        if self.data["collector"] == "processes" and (overlap or self.env["vector"] != "serial"):
            raise ConfigError("data.collector=processes steps there: it needs env.vector=serial and data.overlap=false")
        _ = self.schedule

    @property
    def schedule(self) -> Schedule:
        """How env steps and updates follow each other.

        Raises:
            ConfigError: The warm-up is not shorter than the run.
        """
        return Schedule(self.total_env_steps, self.warmup_env_steps, self.updates_per_env_step)

    @property
    def _data(self) -> RLData:
        return RLData(
            env=self.env,
            num_envs=self.num_envs,
            exploration=self.exploration,
            replay=self.data,
            schedule=self.schedule,
            save_every=self.checkpoint_every_env_steps,
            save_replay=self.checkpoint_replay == "last",
        )

    @cached_property
    def spec(self) -> EnvSpec:
        """Sizes and time limit of the environment, of which one is made for that."""
        return env_spec(self.env["id"], max_episode_steps=self.env["max_episode_steps"])

    def facts(self) -> dict[str, Any]:
        """Return the environment's id and sizes."""
        spec = self.spec
        return {"env_id": spec.env_id, "observation_size": spec.observation_size, "action_size": spec.action_size}

    def make_module(self, context: RunContext) -> Any:
        """Make networks and algorithm; equal on every rank, since the seed is."""
        seed_everything(seed_for(context.seed, "networks") % 2**32, verbose=False)
        spec = self.spec
        block = self.block(self.circuit.n_angles, self.circuit.n_qubits)
        actor = self.actor(spec.observation_size, spec.action_size, block, self.gradient)
        critic = self.critic(spec.observation_size, spec.action_size)
        return self.algo(actor, critic, meters=context.meters, seed=context.seed, rank=context.rank)

    def check(self, module: Any, context: RunContext) -> None:
        """Check that the replay buffer will fit into memory and onto the disk."""
        self._data.check(module.actor, self.spec, context)

    def make_data(self, module: Any, context: RunContext) -> Stream:
        """Open environments and replay buffer."""
        return self._data.open(module.actor, self.spec, context)

    def metric_names(self, module: Any) -> tuple[str, ...]:
        """Name all metrics, those of the quantum layers and their qubits last."""
        n_qubits = {name: layer.block.n_out for name, layer in quantum_layers(module.actor).items()}
        return (*METRICS, *probe_metrics(n_qubits))

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
            self.env["id"],
            episodes=settings["test_episodes"],
            final_episodes=settings["final_test_episodes"],
            every_env_steps=self.test_every_env_steps,
            seed=context.seed,
            max_episode_steps=settings["test_max_episode_steps"] or self.env["max_episode_steps"],
            stop=context.stop,
        )

    def make_callbacks(self, context: RunContext) -> list[Callback]:
        """Make the callbacks that compare values with their bound, write rows of metrics, and probe the layers."""
        every, probe_every = (self.callbacks[f"{name}_every_env_steps"] for name in ("log", "probe"))
        callbacks: list[Callback] = [QGuard(every_env_steps=every), MetricRows(every_env_steps=every)]
        if probe_every:
            callbacks.append(Probe(rows=self.callbacks["probe_rows"], every_env_steps=probe_every, seed=context.seed))
        return callbacks

    def play(self, module: Any, *, episodes: int, seed: int, render_first: bool = False) -> Episodes:
        """Play test episodes, with start seeds from `seed` on, as the command `qtrl.eval` asks for."""
        return play(
            module.actor,
            self.env["id"],
            test_seeds(episodes, first=seed),
            shots_seed=seed,
            max_episode_steps=self.env["max_episode_steps"],
            render_first=render_first,
        )
