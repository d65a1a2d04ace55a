"""Files in W&B: the video of a test and the pages of a report, shown in a run and kept as its artifacts."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qtrl.keys import ENV_STEPS
from qtrl.loggers.wandb import WandbRun

VIDEO = "test/video"
"""Key of the video of a test episode."""
REPORT = "report"
"""Key of the page, type of the artifact, and type of the run that holds both."""
UPLOAD_SECONDS = 120
"""How long files may take to be sent."""


def log_video(run: WandbRun, path: Path, *, env_steps: int) -> str:
    """Log a video of a test episode to the run whose agent it shows, and end the session.

    Args:
        run: The run.
        path: An MP4 file.
        env_steps: Those after which the agent was tested.

    Returns:
        Where it is, or how to send it; empty if W&B failed, of which a warning tells.
    """

    def send(session: Any) -> None:
        import wandb

        session.log({ENV_STEPS: env_steps, VIDEO: wandb.Video(str(path), format="mp4")})
        _log_artifact(session, "video", [path], {ENV_STEPS: env_steps})

    return _send(run, send)


def log_report(run: WandbRun, files: Sequence[Path]) -> str:
    """Log the page of a report, and all of its files as an artifact, and end the session.

    Args:
        run: A run of the report's own.
        files: The page, then the others that were written.

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
