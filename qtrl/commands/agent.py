"""A trained agent, from its run folder alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from qtrl.config.instantiate import blamed, construct_task
from qtrl.config.limits import NUMBERS, Number, check_config
from qtrl.config.saved import load_config, trusted
from qtrl.envs import Episodes
from qtrl.errors import ConfigError
from qtrl.files.checkpoint import read_newest
from qtrl.run.checkpoint_checks import check_counters
from qtrl.run.folder import existing_run_dir
from qtrl.run.provenance import provenance
from qtrl.run.start_from import StartingPoint
from qtrl.tasks import RL, RunContext

CHECKPOINTS = ("last", "best")


@dataclass(frozen=True)
class Agent:
    """What a test needs of a finished run, its config changed by the command line's options."""

    run_dir: Path
    cfg: DictConfig
    task: RL
    module: Any
    checkpoint: dict[str, Any]

    def play(self, options: DictConfig, *, render_first: bool = False) -> Episodes:
        """Play the episodes that the command line asks for with the actor as it is."""
        return self.task.play(self.module, episodes=options.episodes, seed=options.seed, render_first=render_first)

    def facts(self, options: DictConfig) -> dict[str, Any]:
        """Return what is tested, and with which versions, as plain data."""
        return {
            **{name: options[name] for name in ("episodes", "seed", "checkpoint")},
            "env_steps": self.checkpoint["env_steps"],
            "label": self.cfg.label,
            **self.task.facts(),
            **provenance(),
        }


def check_options(options: DictConfig, *, fewest_episodes: int = 1) -> None:
    """Raise a ConfigError for the first of the command line's options that is not allowed; make 1e2 an integer."""
    if options.checkpoint not in CHECKPOINTS:
        raise ConfigError(f"checkpoint={options.checkpoint} is unknown: choices are {', '.join(CHECKPOINTS)}")
    episodes = Number(fewest_episodes, NUMBERS["callbacks.test_episodes"].high)
    options.episodes = episodes.check("episodes", options.episodes)
    options.seed = Number(0, 2**32 - 1 - options.episodes).check("seed", options.seed)
    options.shots = Number(1, optional=True).check("shots", options.shots)
    Number(0, 0.5, whole=False, optional=True).check("readout_error", options.readout_error)
    if options.log and not options.video:
        raise ConfigError("log=true sends the video to W&B: add video=true")


def load_agent(options: DictConfig) -> Agent:
    """Make the agent that the checked options of the command line name, or raise a QtrlError."""
    run_dir = existing_run_dir(options.run, "run")
    checkpoint, path = read_newest(run_dir / "checkpoints" / f"{options.checkpoint}.ckpt")
    check_counters(checkpoint, path)
    with blamed(run_dir / "config.yaml"):
        cfg = load_config(run_dir, trusted(options))
        for name in ("engine", "shots", "readout_error"):  # keys of the run's block
            if options.get(name) is not None:
                if OmegaConf.select(cfg, f"block.{name}") is None:
                    raise ConfigError(f"{name}: this run's block has no circuit")
                OmegaConf.update(cfg, f"block.{name}", options[name], merge=False)
        check_config(cfg)
        task = construct_task(cfg)
        if not isinstance(task, RL):
            raise ConfigError(f"{run_dir} is a run of {type(task).__name__}; qtrl.eval tests agents of task=rl")
        context = RunContext(run_dir, seed=cfg.seed)
        module = StartingPoint(path, checkpoint, resumes=False).build(lambda: task.make_module(context))
    return Agent(run_dir, cfg, task, module, checkpoint)
