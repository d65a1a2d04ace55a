"""A trained agent, from its run folder alone, or as it was exported."""

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torch import nn

from qtrl.analysis.statistics.paired import AGENT, Terms
from qtrl.commands.subject import Tested, told_checkpoint
from qtrl.config.instantiate import blamed, construct_task
from qtrl.config.saved import trusted
from qtrl.config.validation.limits import NUMBERS
from qtrl.config.validation.number import Number
from qtrl.envs import Episodes
from qtrl.errors import ConfigError
from qtrl.nn import QuantumLayers, quantum_layers
from qtrl.run.provenance import provenance
from qtrl.run.saved_run import LARGEST_SEED, SavedRun, check_reading, open_saved_run
from qtrl.run.start_from import StartingPoint
from qtrl.tasks import RL, RunContext


@dataclass(frozen=True)
class Agent:
    """What a test needs of a finished run, its config changed by the command line's options.

    Attributes:
        run_dir: Folder of the run, or of the exported agent, into which nothing is written.
        cfg: Its config.
        task: Made from it.
        actor: With the checkpoint's weights.
        checkpoint: Its counters and weights.
        exported: Whether it was exported.
    """

    run_dir: Path
    cfg: DictConfig
    task: RL
    actor: nn.Module
    checkpoint: dict[str, Any]
    exported: bool = False
    terms: Terms = AGENT

    @property
    def network(self) -> nn.Module:
        """The actor."""
        return self.actor

    @property
    def layers(self) -> QuantumLayers:
        """The actor's quantum layers."""
        return quantum_layers(self.actor)

    def play(self, options: DictConfig, *, render_first: bool = False) -> Episodes:
        """Play the episodes that the command line asks for with the actor as it is."""
        return self.task.play(self.actor, episodes=options.episodes, seed=options.seed, render_first=render_first)

    def test(self, options: DictConfig) -> Tested:
        """Play these episodes, and say how they came out and what they ran on a quantum computer."""
        episodes = self.play(options)
        found, cost = outcome(episodes, self.layers), self.layers.block_cost(episodes.env_steps)
        return Tested(tuple(episodes.returns), found["return_mean"], found | {"cost": vars(cost)})

    def facts(self, options: DictConfig) -> dict[str, Any]:
        """Return what is tested, and with which versions, as plain data."""
        return {
            **{name: options[name] for name in ("episodes", "seed")},
            "checkpoint": told_checkpoint(self.exported, self.checkpoint, options.checkpoint),
            **{name: self.checkpoint[name] for name in ("env_steps", "updates")},
            "label": self.cfg.label,
            **self.task.facts(),
            **provenance(),
        }


def reading(layers: QuantumLayers) -> dict[str, Any]:
    """Return how the block of the first quantum layer is read, as plain data."""
    block = next((layer.block for layer in layers.values()), None)
    circuit = getattr(block, "executable", None)
    return {
        "engine": getattr(circuit, "engine", None),
        **{name: getattr(block, name, None) for name in ("readout", "shots")},
        "readout_error": getattr(block, "readout_error", None) if circuit is not None else None,
    }


def outcome(episodes: Episodes, layers: QuantumLayers) -> dict[str, Any]:
    """Return what was played, and how the block of the first quantum layer was read, as plain data."""
    return {
        "return_mean": statistics.fmean(episodes.returns),
        "return_std": statistics.pstdev(episodes.returns),
        "return_per_episode": list(episodes.returns),
        "length_per_episode": list(episodes.lengths),
        **({"info": dict(episodes.info)} if episodes.info else {}),
        **reading(layers),
    }


def check_options(options: DictConfig, *, fewest_episodes: int = 1) -> None:
    """Raise a ConfigError for the first of the command line's options that is not allowed; make 1e2 an integer."""
    options.shots = check_reading(options.checkpoint, options.shots, options.readout_error)
    episodes = Number(fewest_episodes, NUMBERS["callbacks.test_episodes"].high)
    options.episodes = episodes.check("episodes", options.episodes)
    options.seed = Number(0, LARGEST_SEED - options.episodes).check("seed", options.seed)
    for name in ("video", "log"):
        if not isinstance(options[name], bool):
            raise ConfigError(f"{name}={options[name]} is unknown: choices are false, true")
    if options.log and not options.video:
        raise ConfigError("log=true sends the video to W&B: add video=true")


def open_run(options: DictConfig) -> SavedRun:
    """Read the run that the checked options of the command line name, or raise a QtrlError; nothing is made of it."""
    block = {name: options.get(name) for name in ("engine", "shots", "readout_error")}
    with blamed(Path(str(options.run)) / "config.yaml"):
        return open_saved_run(options.run, options.checkpoint, block=block, trust=trusted(options))


def load_agent(options: DictConfig) -> Agent:
    """Make the agent that the checked options of the command line name, or raise a QtrlError."""
    return make_agent(open_run(options))


def make_agent(run: SavedRun) -> Agent:
    """Make the agent of a run, or an exported one.

    Raises:
        QtrlError: It is a run of another task, or its checkpoint does not fit its config.
    """
    with blamed(run.run_dir / "config.yaml"):
        task = construct_task(run.cfg)
        if not isinstance(task, RL):
            raise ConfigError(f"{run.run_dir} is a run of {type(task).__name__}; qtrl.eval tests agents of task=rl")
        context = RunContext(run.run_dir, seed=run.cfg.seed)
        start = StartingPoint(run.path, run.checkpoint, resumes=False)
        if run.exported:
            actor = start.build(lambda: task.make_module(context).actor)
        else:
            actor = start.build(lambda: task.make_module(context)).actor
    return Agent(run.run_dir, run.cfg, task, actor, run.checkpoint, run.exported)
