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
    """Log the MP4 file of a test episode to the run whose agent it shows after `env_steps`, and end the session.

    Return where it is, or how to send it; nothing if W&B failed, of which a warning tells.
    """
    facts = {ENV_STEPS: env_steps}
    return _send(run, "video", [path], facts, lambda wandb: facts | {VIDEO: wandb.Video(str(path), format="mp4")})


def log_report(run: WandbRun, files: Sequence[Path]) -> str:
    """Log the page of a report, the first of its files, and all of them as an artifact; else as `log_video`."""
    return _send(run, REPORT, files, {}, lambda wandb: {REPORT: wandb.Html(files[0], inject=False)})


def _send(
    run: WandbRun, kind: str, files: Sequence[Path], metadata: dict[str, Any], row: Callable[[Any], dict[str, Any]]
) -> str:
    """Log the row that `row` makes with the package, and the files as an artifact of this kind."""

    def work(session: Any) -> str:
        import wandb

        session.log(row(wandb))
        artifact = wandb.Artifact(f"{kind}-{session.id}", type=kind, metadata=metadata)
        for path in files:
            artifact.add_file(str(path))
        session.log_artifact(artifact)
        if session.offline:
            return f"offline; send it with: wandb sync {shlex.quote(str(Path(session.dir).parents[1]))}/offline-run-*"
        return session.url or "nowhere, since W&B is disabled"

    run.finish_seconds = UPLOAD_SECONDS
    where = run.attempt(work, UPLOAD_SECONDS)
    run.finalize("success")
    return "" if run.failures else where
