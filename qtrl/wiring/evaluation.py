"""One noise-free test of a finished run, from its run folder alone."""

import json
import statistics
import time
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from qtrl.algos import TD3
from qtrl.atomic import write_text
from qtrl.callbacks import play, read_newest, test_seeds
from qtrl.envs import Episodes, env_spec, write_video
from qtrl.errors import ConfigError
from qtrl.meters import RunMeters
from qtrl.wiring import build
from qtrl.wiring.checks import COUNT, Number, check_config
from qtrl.wiring.run_folder import existing_run_dir, load_config
from qtrl.wiring.saved_config import blamed, trusted
from qtrl.wiring.secrets import refuse_secrets
from qtrl.wiring.weights import check_counters, check_widths, load_weights

CHECKPOINTS = ("last", "best")


def run_evaluation(cfg: DictConfig) -> float:
    """Test an agent as `cfg` says; write `eval/<time>.json` and, if asked, a video of the first episode.

    Args:
        cfg: The config as composed from the command line.

    Returns:
        The mean return.
    """
    refuse_secrets(cfg)
    _check(cfg)
    run_dir = existing_run_dir(cfg.run, "run")
    checkpoint, path = read_newest(run_dir / "checkpoints" / f"{cfg.checkpoint}.ckpt")
    check_counters(checkpoint, path)
    with blamed(run_dir / "config.yaml"):
        run_cfg = _with_options(load_config(run_dir, trusted(cfg)), cfg)
        check_config(run_cfg)
        check_widths(run_cfg, checkpoint, path)
        spec = env_spec(run_cfg.env.id, max_episode_steps=run_cfg.env.max_episode_steps)
        module = build.build_module(run_cfg, spec, meters=RunMeters(), ranks=build.Ranks())
    load_weights(module, checkpoint, path)
    episodes = play(
        module.actor,
        run_cfg.env.id,
        test_seeds(cfg.episodes, first=cfg.seed),
        shots_seed=cfg.seed,
        max_episode_steps=run_cfg.env.max_episode_steps,
        render_first=cfg.video,
    )
    result = _result(cfg, run_cfg, module, checkpoint, episodes)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    _write(result, run_dir / "eval" / f"{stamp}.json")
    if cfg.video:
        print(f"qtrl: {write_video(run_dir / 'videos' / f'{stamp}.mp4', episodes.frames, episodes.fps)}")
    return result["return_mean"]


def _check(cfg: DictConfig) -> None:
    if cfg.checkpoint not in CHECKPOINTS:
        raise ConfigError(f"checkpoint={cfg.checkpoint} is unknown: choices are {', '.join(CHECKPOINTS)}")
    COUNT.check("episodes", cfg.episodes)
    Number(0, 2**32 - 1 - cfg.episodes).check("seed", cfg.seed)
    Number(1, optional=True).check("shots", cfg.shots)


def _with_options(run_cfg: DictConfig, cfg: DictConfig) -> DictConfig:
    """Put the command line's engine and shots into the run's config."""
    engine = OmegaConf.select(cfg, "engine.name")
    for key, value in (("block.engine.name", engine), ("block.shots", cfg.shots)):
        if value is None:
            continue
        if OmegaConf.select(run_cfg, key) is None:
            raise ConfigError(f"{key.split('.')[1]}={value}: this run's block has no circuit")
        OmegaConf.update(run_cfg, key, value)
    return run_cfg


def _result(cfg: DictConfig, run_cfg: DictConfig, module: TD3, checkpoint: dict, episodes: Episodes) -> dict[str, Any]:
    block = module.actor.block
    return {
        "return_mean": statistics.fmean(episodes.returns),
        "return_std": statistics.pstdev(episodes.returns),
        "return_per_episode": list(episodes.returns),
        "length_per_episode": list(episodes.lengths),
        "episodes": cfg.episodes,
        "seed": cfg.seed,
        "engine": getattr(getattr(block, "executable", None), "engine", None),
        "readout": getattr(block, "readout", None),
        "shots": getattr(block, "shots", None),
        "checkpoint": cfg.checkpoint,
        "env_steps": checkpoint["env_steps"],
        "env_id": run_cfg.env.id,
    }


def _write(result: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    write_text(path, json.dumps(result, indent=2) + "\n")
    returns = f"return {result['return_mean']:.1f} ± {result['return_std']:.1f}"
    print(f"qtrl: {returns} over {result['episodes']} episodes at {result['env_steps']:,} env steps: {path}")
