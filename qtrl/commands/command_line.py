"""Run a Hydra command with errors of one line."""

import difflib
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from qtrl.commands.multirun import end_with_command, failures_of_jobs, tell_failure, told_failures
from qtrl.config.location import config_dir
from qtrl.errors import QtrlError
from qtrl.process.openmp import spin_count

TRACEBACKS = "HYDRA_FULL_ERROR"
"""Set this variable to 1 to see tracebacks."""
EXIT_STATUS = 2
NO_PICKLES, PICKLES = "TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
"""With the first, no `torch.load` of any library runs code from a file; with the second, all do that do not refuse."""
INTERRUPTED_STATUS = 130
GROUP_IS_NULL = "Config group override must be"
"""So begins the bare ValueError that Hydra raises for `group=null`."""


def run_command(task: Callable, config_name: str) -> None:
    """Compose the config from the command line, call `task` with it, and exit with 2 after an error.

    Args:
        task: Receives the composed config.
        config_name: The primary config.
    """
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from qtrl.config.renamed import refuse_renamed
    from qtrl.config.secrets import refuse_secret_arguments

    if "GOMP_SPINCOUNT" not in os.environ:
        os.environ["GOMP_SPINCOUNT"] = spin_count()
    asked = os.environ.get(TRACEBACKS, "0")
    failures: list[Exception] = []
    with failures_of_jobs() as failed_jobs:
        try:
            keeping = _keeping(task, failures, tracebacks=asked)
            refuse_secret_arguments()
            refuse_renamed(sys.argv[1:], config_name)
            # With tracebacks Hydra raises its errors instead of printing them and exiting.
            with _variable(TRACEBACKS, "1"), _variable(PICKLES, None), _variable(NO_PICKLES, "1"):
                hydra.main(version_base="1.3", config_path=config_dir(), config_name=config_name)(keeping)()
            if failures:
                raise failures[0]
        except KeyboardInterrupt:
            print("qtrl: interrupted", file=sys.stderr)
            sys.exit(INTERRUPTED_STATUS)
        except (QtrlError, HydraException, OmegaConfBaseException, ValueError) as error:
            if asked == "1" or (type(error) is ValueError and GROUP_IS_NULL not in str(error)):
                raise
            _tell(error, told_failures(failed_jobs))
            sys.exit(EXIT_STATUS)


def _tell(error: Exception, failed_jobs: Sequence[tuple[str, str]]) -> None:
    """Print one line: what is wrong; of several jobs that failed, one for each, and what to do."""
    if len(failed_jobs) < 2:
        print(f"qtrl: {printable(describe(error))}", file=sys.stderr)
        return
    for folder, reason in failed_jobs:
        print(f"qtrl: {printable(folder)}: {printable(reason)}", file=sys.stderr)
    others = (
        "the others ended; with resume=auto, as in studies, the same command tries these again and leaves the others"
    )
    print(f"qtrl: {len(failed_jobs)} jobs failed, {others}", file=sys.stderr)


def printable(message: str) -> str:
    """Write control characters, which may come from the command line, as escapes: one line stays one line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)


@contextmanager
def _variable(name: str, value: str | None) -> Iterator[None]:
    """Set an environment variable, or with None remove it, and take that back."""
    before = os.environ.get(name)
    _set(name, value)
    try:
        yield
    finally:
        _set(name, before)


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _keeping(task: Callable, failures: list[Exception], *, tracebacks: str) -> Callable:
    """Keep qtrl's own errors from Hydra, which adds lines to them; in a multirun let it go on with the other jobs.

    Processes that the task starts find `tracebacks`, the user's own choice, in their environment.
    """

    @functools.wraps(task)
    def keep(cfg: Any) -> Any:
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode
        from omegaconf.errors import OmegaConfBaseException

        end_with_command()
        try:
            with _variable(TRACEBACKS, tracebacks):
                return task(cfg)
        except (QtrlError, OmegaConfBaseException) as error:
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                tell_failure(HydraConfig.get().runtime.output_dir, describe(error))
                raise
            failures.append(error)

    return keep


def describe(error: Exception) -> str:
    """Say in one message what is wrong with the config, and what the choices are."""
    cause: Any = error
    while cause is not None:
        if isinstance(cause, QtrlError):
            return str(cause)
        if hasattr(cause, "parent_node") and getattr(cause, "key", None) is not None and "not in struct" in str(cause):
            return _unknown_key(str(cause.full_key or cause.key), cause.parent_node)
        cause = cause.__cause__
    override = getattr(error, "override", None)  # one that Hydra cannot parse
    return (f"{override}: " if override else "") + _group_choices(str(error))


def _unknown_key(full_key: str, parent: object) -> str:
    choices = [str(key) for key in parent] if parent is not None else []  # type: ignore[attr-defined]
    key = full_key.rpartition(".")[2]
    close = difflib.get_close_matches(key, choices, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"unknown key {full_key!r}: {hint}choices are {', '.join(sorted(choices))}"


def _group_choices(message: str) -> str:
    """Fold Hydra's lists of options into one line."""
    lines = [line.strip() for line in message.splitlines()]
    return " ".join(line for line in lines if line and not line.startswith(("Config search path", "provider=")))
