"""Whole runs on environments that users bring: what is refused, dropped, tested, saved and trusted."""

import csv
import importlib
import json

import pytest

SMOKE = ("experiment=pendulum_zeros", "debug=smoke", "logger=csv", "actor.hidden=16", "critic.hidden=16")
SMOKE += ("callbacks.probe_every_env_steps=null", "total_env_steps=60", "warmup_env_steps=30", "data.batch_size=4")
BENT = "env.id=toy_envs:Bent-v0"


@pytest.fixture
def the_error(capsys):
    """The one line of a command that was refused."""
    return lambda: [line for line in capsys.readouterr().err.splitlines() if line.startswith("qtrl: ")][-1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("env.kwargs={bend: short}",), "toy_envs:Bent-v0: step gave an observation that is not of its space"),
        (
            ("env.kwargs={bend: raise}",),
            "step raised RuntimeError: the physics state is invalid, expected it to return",
        ),
        (("env.kwargs={bend: nothing, mass: 3}",), "unexpected keyword argument 'mass'"),
        (("env.kwargs={render_mode: human}",), "env.kwargs.render_mode is not allowed: frames are rendered where"),
        (("env.kwargs={max_episode_steps: 3}",), "env.kwargs.max_episode_steps is not allowed: it is env.max"),
        (("env.kwargs=5",), "env.kwargs=5 is not allowed: expected arguments as in"),
        (("env.wrappers=[gymnasium.wrappers.ClipReward]",), "env.wrappers[0]=gymnasium.wrappers.ClipReward is not"),
        (("env.wrappers=5",), "env.wrappers=5 is not allowed"),
        (("env.wrappers=[{_target_: gymnasium.wrappers.Nope}]",), "gymnasium.wrappers.Nope"),
        (("env.wrappers=[{_target_: gymnasium.wrappers.ClipReward, least: 1}]",), "ClipReward of env.wrappers failed"),
        (("env.id=toy_envs:Single-v0",), "set callbacks.test_envs=0, so that tests are played on the environment"),
        (("env.id=toy_envs:ImageObservation-v0",), "is an image"),
        (("callbacks.test_envs=0", "env.vector=threads", "data.overlap=true"), "callbacks.test_envs=0 needs"),
        (("data.storage=memory", "data.capacity=9_000_000_000"), "set it lower, or data.storage=memmap"),
    ],
)
def test_what_cannot_work_is_said_before_the_run(train, toy_envs, tmp_path, the_error, options, words):
    assert train(*SMOKE, BENT, *options, f"run_dir={tmp_path / 'run'}") == 2
    assert words in the_error()
    assert not (tmp_path / "run").exists()


def rows_of(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_an_environment_that_exists_once_is_tested_on_itself(train, toy_envs, tmp_path, capsys):
    single = ("env.id=toy_envs:Single-v0", "callbacks.test_envs=0", "test_every_env_steps=20")
    assert train(*SMOKE, *single, "callbacks.test_episodes=3", f"run_dir={tmp_path / 'run'}") == 0
    assert not importlib.import_module("toy_envs").Single.alive
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert len(summary["return_per_episode"]) == 3 and summary["last_ten_env_steps"] == [31, 40, 60]
    assert "begin new ones" not in capsys.readouterr().err


def test_it_resumes_where_it_was(train, toy_envs, tmp_path):
    single = ("env.id=toy_envs:Single-v0", "callbacks.test_envs=0", "test_every_env_steps=20")
    single += ("checkpoint_every_env_steps=20", "deterministic=true")
    for name, first in (("whole", 60), ("halves", 40)):
        assert train(*SMOKE, *single, f"run_dir={tmp_path / name}", f"total_env_steps={first}") == 0
    again = (f"run_dir={tmp_path / 'halves'}", "resume=true", "total_env_steps=60", "trust=[toy_envs:Single-v0]")
    assert train(*again) == 0
    returns = [
        json.loads((tmp_path / name / "summary.json").read_text())["return_mean"] for name in ("whole", "halves")
    ]
    losses = [
        [row["loss/critic"] for row in rows_of(tmp_path / name) if row["loss/critic"]] for name in ("whole", "halves")
    ]
    assert returns[0] == returns[1] and losses[0][-1] == losses[1][-1]


def test_a_step_that_raises_costs_an_episode_and_is_counted(train, toy_envs, tmp_path, capsys):
    options = ("env.kwargs={bend: raise, at: 23}", "callbacks.test_max_episode_steps=5", f"run_dir={tmp_path / 'run'}")
    limits = ("total_env_steps=31", "warmup_env_steps=20", "callbacks.log_every_env_steps=1")
    assert train(*SMOKE, BENT, *options, *limits) == 0
    last = [row for row in rows_of(tmp_path / "run") if row["train/env_errors"]][-1]
    assert last["train/env_errors"] == last["train/lost_steps"] == "9"
    captured = capsys.readouterr()
    assert captured.err.count("the episode is dropped") == 9
    assert "test episodes were cut after 5 env steps (callbacks.test_max_episode_steps)" in captured.out


def test_past_the_limit_everything_is_saved_and_the_run_resumes(train, toy_envs, tmp_path, the_error, monkeypatch):
    folder, numbers = tmp_path / "run", ("callbacks.test_max_episode_steps=5", "checkpoint_every_env_steps=1000")
    assert train(*SMOKE, BENT, "env.kwargs={bend: raise, at: 35}", *numbers, f"run_dir={folder}") == 2
    line = the_error()
    assert "after 10 other exceptions in the last 10,000 env steps; mend the environment; the run ends at env" in line
    assert "everything is saved; mend it, then resume with: python -m qtrl.train run_dir=" in line
    assert (folder / "checkpoints" / "last.ckpt").exists()
    monkeypatch.setitem(importlib.import_module("toy_envs").BENDS, "raise", lambda *given: given)
    assert train("resume=true", "trust=[toy_envs:Bent-v0]", f"run_dir={folder}") == 0
    assert json.loads((folder / "summary.json").read_text())["env_steps"] == 60


def test_a_contract_that_is_broken_late_ends_the_run_with_everything_saved(train, toy_envs, tmp_path, the_error):
    bend = ("env.kwargs={bend: no_reward, at: 45}", "callbacks.test_max_episode_steps=5", f"run_dir={tmp_path / 'run'}")
    assert train(*SMOKE, BENT, *bend, "checkpoint_every_env_steps=1000") == 2
    assert "step gave the reward None, expected one number; the run ends at env step 44, everything is" in the_error()
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()


def test_endless_episodes_are_told_once_and_do_not_hang_a_test(train, toy_envs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("qtrl.envs.episodes.ENDLESS", 30)
    options = ("callbacks.test_max_episode_steps=null", "test_every_env_steps=20")
    assert train(*SMOKE, "env.id=toy_envs:CountingLong-v0", *options, f"run_dir={tmp_path / 'run'}") == 0
    assert capsys.readouterr().err.count("has no time limit") == 1


def test_kwargs_wrappers_and_names_are_kept_and_trusted_like_classes(train, evaluate, tmp_path, the_error, toy_envs):
    folder = tmp_path / "run"
    wrapper = "env.wrappers=[{_target_: gymnasium.wrappers.ClipReward, min_reward: -3, max_reward: 0.5}]"
    options = (
        "env.id=toy_envs:Counting-v0",
        "env.kwargs={longest: 3}",
        wrapper,
        "callbacks.test_max_episode_steps=null",
    )
    assert train(*SMOKE, *options, f"run_dir={folder}") == 0
    returns = json.loads((folder / "summary.json").read_text())["return_per_episode"]
    assert set(returns) <= {1.0, 1.5}
    assert evaluate(f"run={folder}", "episodes=2", "trust=[toy_envs:Counting-v0]") == 2
    assert "'env.wrappers[0]' names 'gymnasium.wrappers.ClipReward'" in the_error()
    assert evaluate(f"run={folder}", "episodes=2", "trust=[toy_envs:Counting-v0,gymnasium.wrappers.ClipReward]") == 0


def test_a_result_is_printed_although_its_file_cannot_be_written(train, evaluate, tmp_path, capsys):
    folder = tmp_path / "run"
    assert train(*SMOKE, "callbacks.test_max_episode_steps=5", f"run_dir={folder}") == 0
    (folder / "eval").write_text("in the way")
    assert evaluate(f"run={folder}", "episodes=1") == 2
    captured = capsys.readouterr()
    assert "qtrl: return -" in captured.out and "cannot be written" in captured.err


def test_the_result_of_a_run_is_printed_although_its_last_files_cannot_be_written(train, tmp_path, capsys, monkeypatch):
    from qtrl.errors import RunFolderError

    def full(*args):
        raise RunFolderError("disk full")

    monkeypatch.setattr("qtrl.callbacks.summary.write_json", full)
    assert train(*SMOKE, "callbacks.test_max_episode_steps=5", f"run_dir={tmp_path / 'run'}") == 2
    captured = capsys.readouterr()
    assert "qtrl: test return -" in captured.out and "disk full" in captured.err
