"""Run a Hydra command with errors of one line."""

import errno
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qtrl.commands.multirun import end_with_command, failures_of_jobs, tell_failure, told_failures
from qtrl.config.location import config_dir
from qtrl.config.nested import leaves
from qtrl.config.overrides import for_shell
from qtrl.config.validation.misplaced import MULTIRUN, is_multirun, refuse_misplaced
from qtrl.config.validation.unknown import unknown_key
from qtrl.errors import ConfigError, QtrlError, RunFolderError
from qtrl.process.launchers import handed_down, stray_ranks
from qtrl.process.openmp import spin_count
from qtrl.process.quiet import quiet_libraries
from qtrl.process.terminal import keep_output_harmless

TRACEBACKS = "HYDRA_FULL_ERROR"
SAFE_LOADS = {"TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": None}
"""With the first, no `torch.load` of any library runs code from a file; with the second, all do that do not refuse."""

FILES_ALONE = {"MPLBACKEND": "agg"}
"""Figures become files; Matplotlib cannot be imported where this names a backend that is not there, as Jupyter's."""
UNWRITABLE = (errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
RENDERERS = ("MUJOCO_GL", "SDL_VIDEODRIVER")
"""Variables that a command sets for its own process."""


def run_command(task: Callable, config_name: str) -> None:
    """Compose the primary config `config_name`, call `task` with it, and exit with 2 after an error."""
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from qtrl.config.secrets import refuse_secret_arguments
    from qtrl.config.validation.renamed import refuse_renamed

    keep_output_harmless()
    quiet_libraries()
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda argument: argument not in MULTIRUN)
    if "GOMP_SPINCOUNT" not in os.environ:
        os.environ["GOMP_SPINCOUNT"] = spin_count()
    asked = os.environ.get(TRACEBACKS, "0")
    own: dict[str, str | None] = {**SAFE_LOADS, **FILES_ALONE, **stray_ranks(config_name)}
    own |= {name: os.environ.get(name) for name in RENDERERS}
    if config_name == "tune" or is_multirun(sys.argv[1:]):
        own |= {"WANDB_RUN_ID": None}  # the id of one run, not of several
    failures: list[Exception] = []
    with failures_of_jobs() as failed_jobs:
        try:
            keeping = _keeping(task, failures, tracebacks=asked)
            _check_current_folder()
            refuse_secret_arguments()
            refuse_renamed(sys.argv[1:], config_name)
            if not handed_down():  # Lightning adds keys of Hydra's for the ranks that it starts
                refuse_misplaced(sys.argv[1:], config_name)
            # With tracebacks Hydra raises its errors instead of printing them and exiting.
            with _environment({TRACEBACKS: "1", **own}):
                hydra.main(version_base="1.3", config_path=config_dir(), config_name=config_name)(keeping)()
            if failures:
                raise failures[0]
        except KeyboardInterrupt:
            print("qtrl: interrupted", file=sys.stderr)
            sys.exit(130)
        except (QtrlError, HydraException, OmegaConfBaseException, ValueError) as error:
            # Hydra raises a bare ValueError for `group=null`.
            if asked == "1" or (type(error) is ValueError and "Config group override must be" not in str(error)):
                raise
            _print_error(error, told_failures(failed_jobs))
            sys.exit(2)
        except OSError as error:  # Hydra's own writing, of what a multirun consists of
            if asked == "1" or error.errno not in UNWRITABLE or not is_multirun(sys.argv[1:]):
                raise
            where = f"{error.filename or 'the folder of the multirun'} cannot be written: {error.strerror}"
            _print_error(RunFolderError(f"{where}; choose another folder with hydra.sweep.dir=DIR"), [])
            sys.exit(2)


def _check_current_folder() -> None:
    """Raise a `ConfigError` where it was removed, in which neither Hydra nor a relative path can work."""
    try:
        Path.cwd()
    except OSError as error:
        raise ConfigError(
            f"the current folder cannot be used ({error.strerror}): change into one that exists"
        ) from error


def _print_error(error: Exception, failed_jobs: Sequence[tuple[str, str]]) -> None:
    """Print one line; of several jobs that failed, one for each, and what to do."""
    lines = [describe(error)]
    if len(failed_jobs) > 1:
        hint = "with resume=auto, as in studies, the same command tries these again and leaves the others"
        lines = [f"{folder}: {reason}" for folder, reason in failed_jobs]
        lines.append(f"{len(failed_jobs)} jobs failed, the others ended; {hint}")
    for line in lines:
        print(f"qtrl: {printable(line)}", file=sys.stderr)


def printable(message: str) -> str:
    """Write control characters, which may come from the command line, as escapes: one line stays one line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)


@contextmanager
def _environment(changes: dict[str, str | None]) -> Iterator[None]:
    """Set environment variables, or with None remove them, and restore them afterwards."""
    before = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(before)


def _set(variables: dict[str, str | None]) -> None:
    for name in variables:
        os.environ.pop(name, None)
    os.environ.update({name: value for name, value in variables.items() if value is not None})


def _keeping(task: Callable, failures: list[Exception], *, tracebacks: str) -> Callable:
    """Keep qtrl's own errors from Hydra, which adds lines to them; in a multirun let it go on with the other jobs."""

    @functools.wraps(task)
    def keep(cfg: Any) -> Any:
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode
        from omegaconf.errors import OmegaConfBaseException

        end_with_command()
        try:
            with _environment({TRACEBACKS: tracebacks}):  # the user's own choice, for processes that the task starts
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
            return _unknown(str(cause.full_key or cause.key), cause.parent_node)
        cause = cause.__cause__
    override = getattr(error, "override", None)  # one that Hydra cannot parse
    # Hydra lists options one a line.
    lines = [line.strip() for line in str(error).splitlines()]
    message = " ".join(line for line in lines if line and not line.startswith(("Config search path", "provider=")))
    key, _, value = (override or "").partition("=")
    hint = f"; write a text with such characters as {for_shell(key, value)}" if value else ""
    return f"{override}: {message}{hint}" if override else message


def _unknown(key: str, parent: Any) -> str:
    """Say that the node `parent` of a composed config has no such key, and which one elsewhere has its name."""
    from omegaconf import OmegaConf

    if not parent:
        return f"unknown key {key!r}: nothing stands there, write +{key}=VALUE to add it"
    siblings = [str(name) for name in parent]
    keys = [name for name, _ in leaves(OmegaConf.to_container(parent._get_root(), resolve=False))]
    return unknown_key(key, siblings, [name for name in keys if name.rpartition(".")[2] == key.rpartition(".")[2]])
