import shutil
import sys

import pytest
import yaml

import qtrl
from qtrl.commands.command_line import printable
from qtrl.errors import QtrlError

SMOKE = ("experiment=pendulum_pqc", "debug=smoke", "logger=csv", "callbacks.test_max_episode_steps=5")
SMOKE += ("actor.hidden=16", "critic.hidden=16", "callbacks.probe_every_env_steps=null")


@pytest.fixture(scope="session")
def honest_run(train, tmp_path_factory):
    """The folder of a smoke run, not to be changed."""
    folder = tmp_path_factory.mktemp("honest") / "run"
    assert train(*SMOKE, f"run_dir={folder}") == 0
    return folder


@pytest.fixture
def run(honest_run, tmp_path):
    """A copy of that folder, beside which other files may lie."""
    return shutil.copytree(honest_run, tmp_path / "runs" / "run")


@pytest.fixture
def edit(run):
    """Change values of the copy's config: dotted keys, numbers for members of lists."""

    def change(values):
        path = run / "config.yaml"
        plain = yaml.safe_load(path.read_text())
        for key, value in values.items():
            *parents, last = key.split(".")
            node = plain
            for name in parents:
                node = node.setdefault(name, {})
            node[last] = value
        path.write_text(yaml.safe_dump(plain))

    return change


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}


@pytest.fixture
def refused(train, evaluate, capsys, run, tmp_path):
    """Open the copy with a command; it must be refused in one line, which is returned, and nothing may change.

    `load` stands for `qtrl.load`, which is judged by the same rules.
    """

    def refuse(command="eval", *options):
        before = contents(tmp_path)
        capsys.readouterr()
        if command == "load":
            with pytest.raises(QtrlError) as told:
                qtrl.load(run)
            status = 2
            print(f"qtrl: {printable(str(told.value))}", file=sys.stderr)  # as a command shows it
        elif command == "eval":
            status = evaluate(f"run={run}", "episodes=1", *options)
        else:
            status = train("resume=true", f"run_dir={run}", "total_env_steps=110", *options)
        lines = capsys.readouterr().err.splitlines()
        assert (status, len(lines)) == (2, 1), lines
        assert lines[0].startswith("qtrl: ")
        assert len(lines[0]) < 700
        assert lines[0].isprintable()
        assert contents(tmp_path) == before
        return lines[0]

    return refuse
