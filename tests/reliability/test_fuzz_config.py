"""Whatever stands on the command line: a whole run, or one line that says what is wrong."""

import contextlib
import io
import tempfile
from pathlib import Path

import pytest
from comparing import env_steps
from hypothesis import HealthCheck, given, settings
from overrides import TINY, sound, unsound

from qtrl.files.checkpoint import read_checkpoint

pytestmark = pytest.mark.filterwarnings("default")


def fuzzed(examples, **options):
    quiet = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}
    return settings(max_examples=examples, derandomize=True, **quiet, **options)


def run(train, arguments):
    """Run in a folder that is thrown away; return the status, stderr and the newest checkpoint."""
    err = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(err):
        path = Path(folder) / "run"
        status = train(*TINY, *arguments, f"run_dir={path}")
        checkpoint = read_checkpoint(path / "checkpoints" / "last.ckpt") if status == 0 else None
    return status, err.getvalue(), checkpoint


def check_sound(train, arguments):
    status, err, checkpoint = run(train, arguments)
    assert status == 0, (arguments, err)
    assert env_steps(checkpoint) >= 30
    assert all(value.isfinite().all() for value in checkpoint["state_dict"].values())


def check_unsound(train, override):
    status, err, _ = run(train, ("experiment=pendulum_zeros", override))
    assert status == 2, override
    lines = err.splitlines()
    assert len(lines) == 1, (override, err)
    assert lines[0].startswith("qtrl: "), (override, err)
    assert len(lines[0]) < 2000


@given(arguments=sound)
@fuzzed(2)
def test_sound_overrides_make_a_whole_run(train, arguments):
    check_sound(train, arguments)


@given(override=unsound)
@fuzzed(10)
def test_anything_else_is_told_in_one_line(train, override):
    check_unsound(train, override)


@pytest.mark.slow
@given(arguments=sound)
@fuzzed(200)
def test_many_sound_overrides_make_a_whole_run(train, arguments):
    check_sound(train, arguments)


@pytest.mark.slow
@given(override=unsound)
@fuzzed(600)
def test_many_others_are_told_in_one_line(train, override):
    check_unsound(train, override)
