"""Upload of a test video and of a report to W&B, as media of a run and as artifacts."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qtrl.keys import ENV_STEPS
from qtrl.loggers.wandb import WandbRun

VIDEO = "test/video"
"""Key of the test video."""
REPORT = "report"
"""Key of the report's page, type of its artifact, and job type of its run."""
UPLOAD_SECONDS = 120
"""Time limit of an upload."""


def log_video(run: WandbRun, path: Path, *, env_steps: int) -> str:
    """Log a test video to the run that trained the agent, and finish the run.

    Args:
        run: The run.
        path: An MP4 file.
        env_steps: Env steps of training after which the agent was tested.

    Returns:
        The run's address, or for an offline run the command that sends it; empty after a failure, which warns.
    """

    def send(session: Any) -> None:
        import wandb

        session.log({ENV_STEPS: env_steps, VIDEO: wandb.Video(str(path), format="mp4")})
        _log_artifact(session, "video", [path], {ENV_STEPS: env_steps})

    return _send(run, send)


def log_report(run: WandbRun, files: Sequence[Path]) -> str:
    """Log a report's page, and all of its files as an artifact, and finish the run.

    Args:
        run: A run for this report alone.
        files: The page, then the other files.

    Returns:
        As `log_video`.
    """

    def send(session: Any) -> None:
        import wandb

        session.log({REPORT: wandb.Html(files[0], inject=False)})
        _log_artifact(session, REPORT, files, {})

    return _send(run, send)


def _log_artifact(session: Any, kind: str, files: Sequence[Path], metadata: dict[str, Any]) -> None:
    import wandb

    artifact = wandb.Artifact(f"{kind}-{session.id}", type=kind, metadata=metadata)
    for path in files:
        artifact.add_file(str(path))
    session.log_artifact(artifact)


def _send(run: WandbRun, send: Callable[[Any], None]) -> str:
    where = ""

    def work(session: Any) -> None:
        nonlocal where
        send(session)
        if session.offline:
            where = f"offline; send it with: wandb sync {shlex.quote(str(Path(session.dir).parents[1]))}/offline-run-*"
        else:
            where = session.url or "nowhere, since W&B is disabled"

    run.finish_seconds = UPLOAD_SECONDS
    run.attempt(work, UPLOAD_SECONDS)
    run.finalize("success")
    return "" if run.failed else where
