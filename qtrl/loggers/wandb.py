"""Weights & Biases: offline unless a key is there or it is asked for; env steps are the axis of every metric."""

import configparser
import math
import netrc
import os
import secrets
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lightning.pytorch.loggers import Logger
from lightning.pytorch.loggers.logger import rank_zero_experiment

from qtrl.files.run_tree import RUN_ID, read_run_id
from qtrl.keys import ENV_STEPS
from qtrl.loggers.time_limit import within

START_SECONDS = 20
"""How long the server may take to answer at the start of a run."""
CONNECT_SECONDS = 40
"""How long the start may take in all: online, and offline after that failed."""
CALL_SECONDS = 3
"""How long W&B's service may take to accept a row, and to end a run that was stopped."""
FINISH_SECONDS = 15
"""How long the end of a complete training waits for the upload."""
"""Ids of W&B that may stand in names of folders."""
RETRY_SECONDS = (10, 60, 600)
"""Pauses before W&B is tried again after it failed; after the last of these tries it is left alone."""


def has_key() -> bool:
    """Tell whether this machine is logged in to the server that runs go to.

    That is by `WANDB_API_KEY`, or by the entry of that server which `wandb login` leaves in the netrc file.
    """
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        logins = netrc.netrc(os.environ.get("NETRC")).hosts
    except (OSError, netrc.NetrcParseError):
        return False
    return any(urlsplit(server).netloc in logins for server in _servers()) if logins else False


def _servers() -> Sequence[str]:
    """Return the address of `WANDB_BASE_URL`, else of `wandb login --host`, else those of W&B's own servers."""
    folder = os.environ.get("WANDB_CONFIG_DIR") or Path.home() / ".config" / "wandb"
    settings = configparser.ConfigParser()
    with suppress(configparser.Error, UnicodeDecodeError):
        settings.read(Path(folder, "settings"))
    chosen = os.environ.get("WANDB_BASE_URL") or settings.get("default", "base_url", fallback="")
    if chosen:
        return [chosen if "//" in chosen else f"//{chosen}"]
    import wandb  # there is a netrc file, so the run will most likely need it

    return ["https://api.wandb.ai", wandb.Settings().base_url]


def _new_id() -> str | None:
    """Return the id that `WANDB_RUN_ID` gives a new run; None where W&B is to choose one."""
    asked = os.environ.get("WANDB_RUN_ID")
    if asked is None or RUN_ID.fullmatch(asked):
        return asked
    return secrets.token_hex(4)  # W&B would refuse to start with that one


class WandbRun(Logger):
    """One W&B run, made at the first row.

    Lightning's own W&B logger makes `trainer/global_step` the axis, which here counts the steps of three optimizers.
    No failure of W&B ends a training or makes it wait long: a server that does not answer at the start makes the run
    an offline one, and a service that dies or hangs is started again a few times. The run folder has everything.

    Args:
        save_dir: The run folder; W&B writes into its `wandb/`.
        entity: The W&B user or team; None for the account's default.
        group: Runs to be compared share a group.
        offline: None decides by `WANDB_MODE`, then by whether a key is there.
        config: Stored with the run.
        job_type: What kind of run it is, where that is no training.

    Raises:
        RunFolderError: The run folder does not hold the id of a W&B run where it should.
    """

    name = "wandb"

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
        self.mode: Any = "offline" if offline else "online"
        if offline is None:
            self.mode = os.environ.get("WANDB_MODE") or ("online" if has_key() else "offline")
        self._folder, self._run = save_dir / "wandb", None
        self._id = read_run_id(self._folder / "run_id.txt")
        self.failures, self._not_before = 0, -math.inf
        """Calls of W&B that failed."""
        self.finish_seconds = FINISH_SECONDS
        """How long the end of a complete run waits for the upload."""
        self._init: dict[str, Any] = {
            "project": project or None,
            "name": run_name,
            "entity": entity or None,
            "group": group,
        }
        self._init |= {"tags": list(tags) or None, "job_type": job_type, "config": dict(config or {})}

    @property
    def version(self) -> str:
        """The id under which W&B keeps the run, also over a resume; empty before it is made."""
        return self._id

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The W&B run, made on first use; None while W&B fails."""
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
        options = {"id": self._id or _new_id(), "resume": "allow", "mode": self.mode, "settings": settings}
        return wandb.init(dir=str(self._folder.parent), **options, **self._init)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the config is given when the run is made."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log one row; `metrics` holds `env_steps`, and `step` is not used."""
        self.attempt(lambda run: run.log(dict(metrics)), CALL_SECONDS)

    def log_summary(self, summary: Mapping[str, Any]) -> None:
        """Store the end result with the run."""
        self.attempt(lambda run: run.summary.update(dict(summary)), CALL_SECONDS)

    def attempt(self, call: Callable[[Any], Any], seconds: float) -> Any:
        """Call with the W&B run and return the result; None, with a warning, of a call that fails or takes longer."""
        return None if (run := self.experiment) is None else self._try(lambda: call(run), seconds)

    def finalize(self, status: str) -> None:
        """Close the run, so that the next one of this process is another."""
        if (run := self._run) is not None:
            complete = status == "success"
            seconds = self.finish_seconds if complete else CALL_SECONDS  # a stopped process is soon killed
            self._try(lambda: run.finish(exit_code=0 if complete else 1), seconds)
            self._run = None

    def _try(self, call: Callable[[], Any], seconds: float) -> Any:
        """Call, but not soon after a failure; the first failure is told, and each clears away what is left of W&B."""
        if time.monotonic() < self._not_before:
            return None
        try:
            return within(seconds, call)
        except Exception as error:  # W&B's service may die in many ways; none of them may end a training
            pause = RETRY_SECONDS[self.failures] if self.failures < len(RETRY_SECONDS) else math.inf
            self._run, self.failures, self._not_before = None, self.failures + 1, time.monotonic() + pause
            with suppress(Exception):
                within(CALL_SECONDS, teardown)  # else the next start, and the end of the process, meet the dead one
            if self.failures == 1:
                kept = f"all goes on without it, {self._folder.parent} has everything"
                warnings.warn(f"W&B failed ({error_line(error)}); {kept}", stacklevel=4)
            return None


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
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
