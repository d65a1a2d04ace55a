"""One noise-free test of a finished run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig

from qtrl.commands.agent import check_options, load_agent, outcome
from qtrl.commands.export.agents.agent_export import AgentExport
from qtrl.commands.export.folder import check_target, export_folder
from qtrl.commands.subject import Subject
from qtrl.commands.uploads import own_wandb_run, print_address
from qtrl.config.secrets import refuse_secrets
from qtrl.envs import write_video
from qtrl.errors import QtrlError, RunFolderError
from qtrl.files.atomic import write_json
from qtrl.loggers.artifacts import log_video
from qtrl.process.moment import moment


def run_evaluation(cfg: DictConfig) -> float:
    """Test an agent, write the result and, if asked, a video of the first episode and the agent itself.

    Returns:
        The mean return.
    """
    refuse_secrets(cfg)
    check_options(cfg)
    export, agent = check_target("export", cfg.export), load_agent(cfg)
    wandb_run = own_wandb_run(agent.cfg, agent.run_dir) if cfg.log else None
    episodes = agent.play(cfg, render_first=cfg.video)
    result = outcome(episodes, agent.layers) | agent.facts(cfg)
    returns = f"return {result['return_mean']:.1f} ± {result['return_std']:.1f}"
    said = f"{returns} over {result['episodes']} episodes at {result['env_steps']:,} env steps"
    with printing_first(said):
        path = new_result(agent, ".json")
        write_json(path, result)
    print(f"qtrl: {said}: {path}")
    if cfg.video:
        beside = path.parent if agent.exported else agent.run_dir / "videos"
        video = write_video(beside / f"{path.stem}.mp4", episodes.frames, episodes.fps)
        print(f"qtrl: {video}")
        if wandb_run is not None:
            print_address(log_video(wandb_run, video, env_steps=result["env_steps"]))
    if export is not None:
        export_folder(export, AgentExport(agent), result)
        print(f"qtrl: {export}")
    return result["return_mean"]


@contextmanager
def printing_first(result: str) -> Iterator[None]:
    """Print a result before the error of the `with` block, which was to write it into a file."""
    try:
        yield
    except QtrlError:
        print(f"qtrl: {result}", flush=True)
        raise


def new_result(agent: Subject, ending: str) -> Path:
    """Return the file of a test that ends now: `eval/<time><ending>` in a run's folder.

    Of an exported agent, whose folder may be read-only, it is `<name>-<time><ending>` in the current folder.

    Raises:
        RunFolderError: The folder cannot be written.
    """
    if agent.exported:
        return Path.cwd() / f"{agent.run_dir.name}-{moment()}{ending}"
    folder = agent.run_dir / "eval"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"{folder} cannot be written: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RunFolderError(f"{folder} cannot be written: it is read-only")
    return folder / (moment() + ending)
