import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException

from qtrl.commands.command_line import describe
from qtrl.config.overrides import for_shell

FOLDERS = (
    "/runs/a",
    "/home/müller/runs",
    "/a=b",
    "/a,b",
    "/it's here",
    "/a  b/c",
    "/100%",
    "/a(1)",
    "/a{b}",
    "/~a;b",
    "/a:b",
)
FOLDERS += ("/a#b", "/[x]", "/$a", "/a!", '/a"b', "/end ", "runs/2026-01-02", "1e5", "null", "a b", "/2026.01")
FOLDERS += ("/a\\", "\\", "/a\\\\", "/a\\'b", "/a\\\\'", "/a\\b c", "/ü\\", "/${x}\\", "/\\${x}")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_is_read_as_it_is_by_shell_and_hydra(folder):
    (word,) = shlex.split(for_shell("run_dir", folder))
    override = OverridesParser.create().parse_override(word)
    assert override.value() == folder and not override.is_sweep_override()


def test_what_needs_no_quotes_has_none():
    assert for_shell("run_dir", "/home/me/runs/humanoid_pqc-s0-20260102.1") == (
        "run_dir=/home/me/runs/humanoid_pqc-s0-20260102.1"
    )
    assert for_shell("run_dir", "/a b") == "run_dir='/a b'"
    assert for_shell("run_dir", "/müller") == "run_dir=\"'/müller'\""


@pytest.mark.parametrize("folder", ["/home/müller/runs", "/a=b"])
def test_a_text_that_hydra_cannot_read_is_told_how_to_be_written(folder):
    with pytest.raises(OverrideParseException) as refused:
        OverridesParser.create().parse_overrides([f"run_dir={folder}"])
    assert describe(refused.value).endswith(f"write a text with such characters as run_dir=\"'{folder}'\"")
