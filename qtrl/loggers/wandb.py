"""Weights & Biases logger: offline unless a key exists or online mode is requested; env steps are the x axis."""

import math
import netrc
import os
import re
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.loggers.logger import rank_zero_experiment

from qtrl.errors import RunFolderError
from qtrl.files.untrusted import read_regular
from qtrl.keys import ENV_STEPS
from qtrl.loggers.time_limit import within

HOST = "api.wandb.ai"
RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
LONGEST_RUN_ID = 200
"""Maximum size in bytes of the file that holds it."""
START_SECONDS = 20
"""Time limit for the server's answer at the start of a run."""
CONNECT_SECONDS = 40
"""Time limit of the whole start: online, and offline after that failed."""
CALL_SECONDS = 3
"""Time limit for W&B's service to accept a row, and to end a run that was stopped."""
FINISH_SECONDS = 15
"""Time limit of the upload at the end of a complete training."""
RETRY_SECONDS = (10, 60, 600)
"""Back-off before each retry after a failure of W&B; after the last one W&B is given up."""


def has_key() -> bool:
    """Tell whether this machine is logged in: by `WANDB_API_KEY`, or by `wandb login`'s entry in the netrc file."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators(HOST) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def read_run_id(path: Path) -> str:
    """Read the W&B id of a run; empty if it has none yet.

    Raises:
        RunFolderError: The file is not a regular one, or does not hold an id.
    """
    try:
        run_id = read_regular(path, limit=LONGEST_RUN_ID).decode().strip()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        run_id = ""
    if not RUN_ID.fullmatch(run_id):
        raise RunFolderError(f"{path} does not hold the id of a W&B run: remove it")
    return run_id


class WandbRun(Logger):
    """One W&B run, created at the first row.

    Lightning's own W&B logger makes `trainer/global_step` the axis, which here counts the steps of three optimizers.
    No failure of W&B ends or stalls a training: without an answer from the server at the start the run is kept offline,
    and a service that dies or hangs is restarted a few times. The run folder has all data in any case.

    Args:
        save_dir: The run folder; W&B writes into its `wandb/`.
        project: The W&B project.
        run_name: The run's display name.
        entity: The W&B user or team; None for the account's default.
        group: Runs to be compared share it.
        tags: Labels to filter by.
        offline: None decides by `WANDB_MODE`, then by whether a key is there.
        config: Stored with the run.
        job_type: Kind of run, if not a training.

    Raises:
        RunFolderError: `wandb/run_id.txt` in the run folder does not hold a W&B id.
    """

    def __init__(
        self,
        save_dir: Path,
        *,
        project: str,
        run_name: str,
        entity: str | None = None,
        group: str | None = None,
        tags: Sequence[str] = (),
        offline: bool | None = None,
        config: Mapping[str, Any] | None = None,
        job_type: str | None = None,
    ) -> None:
        super().__init__()
        if offline is None:
            self.mode: Any = os.environ.get("WANDB_MODE") or ("online" if has_key() else "offline")
        else:
            self.mode = "offline" if offline else "online"
        self._folder, self._id = save_dir / "wandb", read_run_id(save_dir / "wandb" / "run_id.txt")
        self._run: Any = None
        self._failures, self._not_before = 0, -math.inf
        self.finish_seconds = FINISH_SECONDS
        """Time limit of the upload at the end of a complete run."""
        self._init: dict[str, Any] = {
            "project": project,
            "name": run_name,
            "entity": entity,
            "group": group,
            "tags": list(tags),
            "job_type": job_type,
            "config": dict(config or {}),
        }

    @property
    def name(self) -> str:
        """The logger's name."""
        return "wandb"

    @property
    def version(self) -> str:
        """The run's W&B id, which a resumed run keeps."""
        return self._id

    @property
    def failed(self) -> bool:
        """Whether any call to W&B failed."""
        return self._failures > 0

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The W&B run, created on first use; None after a failure."""
        if self._run is None:
            self._try(self._connect, CONNECT_SECONDS)
        return self._run

    def _connect(self) -> None:
        self._folder.mkdir(exist_ok=True)
        try:
            run = self._start()
        except Exception as error:
            if self.mode != "online":
                raise
            self.mode = "offline"
            run = self._start()
            send = f"send it with: wandb sync {self._folder}/offline-run-*"
            warnings.warn(f"W&B cannot be reached ({error_line(error)}); the run is kept offline, {send}", stacklevel=2)
        self._id = run.id
        (self._folder / "run_id.txt").write_text(run.id)
        run.define_metric(ENV_STEPS)
        run.define_metric("*", step_metric=ENV_STEPS)
        self._run = run

    def _start(self) -> Any:
        import wandb

        settings = wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            save_code=False,
            x_disable_meta=True,  # holds the command line
            init_timeout=START_SECONDS,
            finish_timeout=self.finish_seconds,
            finish_timeout_raises=True,
        )
        options = {"id": self._id or None, "resume": "allow", "mode": self.mode, "settings": settings}
        return wandb.init(dir=str(self._folder.parent), **options, **self._init)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing; the config is given when the run is created."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log one row; `metrics` includes `env_steps`, and `step` is ignored."""
        self.attempt(lambda run: run.log(dict(metrics)), CALL_SECONDS)

    def log_summary(self, summary: Mapping[str, Any]) -> None:
        """Store the final result with the run."""
        self.attempt(lambda run: run.summary.update(dict(summary)), CALL_SECONDS)

    def attempt(self, call: Callable[[Any], Any], seconds: float) -> None:
        """Call with the W&B run, if there is one; a failure or timeout warns and never raises."""
        if (run := self.experiment) is not None:
            self._try(lambda: call(run), seconds)

    def finalize(self, status: str) -> None:
        """Finish the run."""
        if (run := self._run) is not None:
            complete = status == "success"
            seconds = self.finish_seconds if complete else CALL_SECONDS  # a stopped process is soon killed
            self._try(lambda: run.finish(exit_code=0 if complete else 1), seconds)
            self._run = None

    def _try(self, call: Callable[[], Any], seconds: float) -> None:
        if time.monotonic() < self._not_before:
            return
        try:
            within(seconds, call)
        except Exception as error:  # W&B's service may die in many ways; none of them may end a training
            self._lose(error)

    def _lose(self, error: Exception) -> None:
        """Say so at the first time, clear away what is left of W&B, and set when to try again."""
        first, self._run = not self._failures, None
        pause = RETRY_SECONDS[self._failures] if self._failures < len(RETRY_SECONDS) else math.inf
        self._failures, self._not_before = self._failures + 1, time.monotonic() + pause
        with suppress(Exception):
            within(CALL_SECONDS, teardown)  # else the next start, and the end of the process, meet the dead one
        if first:
            kept = f"all goes on without it, {self._folder.parent} has everything"
            warnings.warn(f"W&B failed ({error_line(error)}); {kept}", stacklevel=5)


def teardown() -> None:
    """End W&B's service; a dead one, which W&B's own teardown does not wait for, would stay as a zombie."""
    import wandb

    process = None
    with suppress(AttributeError):  # private to W&B: there is no public way to the process
        process = wandb.sdk.wandb_setup._singleton._connection._proc._process
    try:
        with suppress(SystemExit):  # raised where the service ended with an error
            wandb.teardown()
    finally:
        if process is not None:
            process.wait()


def error_line(error: Exception) -> str:
    """Return the first line of what an error says, or its type where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
