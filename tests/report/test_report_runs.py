import json
import os

import numpy as np
import pytest
import yaml

from qtrl.errors import ConfigError, RunFolderError
from qtrl.report import read_study

CONFIG = {
    "tags": [],
    "label": "pqc",
    "seed": 0,
    "total_env_steps": 300,
    "warmup_env_steps": 100,
    "test_every_env_steps": 100,
    "run_dir": "x",
    "env": {"id": "Pendulum-v1", "max_episode_steps": None},
    "block": {"_target_": "qtrl.nn.PQC", "shots": 100},
    "algo": {"gamma": 0.99},
    "callbacks": {"test_episodes": 2, "test_max_episode_steps": None},
    "logger": {"group": None},
}
SUMMARY = {
    "status": "complete",
    "wall_seconds": 10.0,
    "circuits": 500,
    "shots": 50_000,
    "parameter_shift_circuits": 9_000,
    "return_mean": -150.0,
    "return_std": 1.0,
    "return_per_episode": [-149.0, -151.0],
    "best_return_mean": -140.0,
    "last_ten_return_mean": -155.0,
    "env_id": "Pendulum-v1",
    "observation_size": 3,
    "action_size": 1,
    "label": "pqc",
    "seed": 0,
    "versions": {"gymnasium": "1.4.0", "mujoco": "4.0.0"},
    "git_commit": "c" * 40,
}
METRICS = """env_steps,train/return,test/return_mean,test/gap
100,-900.5,,
100,,-800,-100.5
200,-700,,
300,-500,-160,
300,,-150,
"""


def read_config(folder):
    try:
        return yaml.safe_load((folder / "config.yaml").read_text())
    except (OSError, yaml.YAMLError) as error:
        raise RunFolderError(f"{folder / 'config.yaml'} cannot\nbe read") from error


def study_of(*folders):
    return read_study(folders, read_config=read_config)


def write_run(folder, *, metrics=METRICS, config=(), **summary):
    """Write a run; `config` changes keys of its config, the rest those of its summary; None takes one away."""
    folder.mkdir(parents=True)
    summary = SUMMARY | summary
    shared = {key: summary[key] for key in ("label", "seed")}
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG | shared | dict(config)))
    (folder / "metrics.csv").write_text(metrics)
    (folder / "summary.json").write_text(json.dumps({k: v for k, v in summary.items() if v is not None}))
    return folder


def only_reason(study):
    (skipped,) = study.skipped
    assert "\n" not in skipped.reason and not study.runs
    return skipped.reason


def test_a_run_is_read(tmp_path):
    study = study_of(write_run(tmp_path / "a"))
    (run,) = study.runs["pqc"]
    assert (run.path, run.label, run.seed, run.summary["shots"]) == (tmp_path / "a", "pqc", 0, 50_000)
    assert run.config["algo"] == {"gamma": 0.99}
    assert not study.skipped and not study.warnings
    assert study.facts["env_id"] == "Pendulum-v1" and study.facts["mujoco"] == "4.0.0"
    assert study.facts["final_test_episodes"] == "2" and study.facts["commits"] == "c" * 40


def test_empty_cells_are_left_out_and_of_two_values_at_a_step_the_first_counts(tmp_path):
    (run,) = study_of(write_run(tmp_path / "a")).runs["pqc"]
    np.testing.assert_equal(run.columns["test/return_mean"], ([100, 300], [-800, -160]))
    np.testing.assert_equal(run.columns["train/return"], ([100, 200, 300], [-900.5, -700, -500]))
    np.testing.assert_equal(run.columns["test/gap"], ([100], [-100.5]))
    assert run.columns["test/gap"][0].dtype == run.columns["test/gap"][1].dtype == np.float64


def test_labels_come_in_the_order_of_the_paper_and_runs_by_seed(tmp_path):
    for label in ("zz", "td3", "aa", "fc", "pqc", "rbg", "bernoulli", "zeros"):
        for seed in (10, 9):
            write_run(tmp_path / label / f"seed{seed}", label=label, seed=seed, return_mean=-100.0 - seed)
    study = study_of(tmp_path)
    assert list(study.runs) == ["pqc", "fc", "rbg", "zeros", "bernoulli", "td3", "aa", "zz"]
    assert [run.seed for run in study.runs["fc"]] == [9, 10]
    np.testing.assert_equal(study.values("fc"), [-109, -110])


def test_a_run_reached_twice_counts_once(tmp_path):
    run = write_run(tmp_path / "study" / "a")
    study = study_of(tmp_path, tmp_path / "study", run)
    assert len(study.runs["pqc"]) == 1


def test_a_seed_counts_once(tmp_path):
    write_run(tmp_path / "a", return_mean=-1.0)
    write_run(tmp_path / "b", return_mean=-2.0)
    study = study_of(tmp_path)
    assert study.values("pqc") == [-1]
    assert [skipped.path for skipped in study.skipped] == [tmp_path / "b"]
    assert "seed 0 of pqc" in study.skipped[0].reason and str(tmp_path / "a") in study.skipped[0].reason


def test_folders_within_a_run_are_not_searched(tmp_path):
    write_run(tmp_path / "a")
    write_run(tmp_path / "a" / "wandb" / "b", seed=1)
    assert len(study_of(tmp_path).runs["pqc"]) == 1


def test_links_are_named_and_not_followed(tmp_path):
    write_run(tmp_path / "elsewhere" / "a")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "a").symlink_to(tmp_path / "elsewhere" / "a")
    assert "link" in only_reason(study_of(tmp_path / "study"))


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RunFolderError, match="there is no folder"):
        study_of(tmp_path / "none")


def test_a_folder_without_runs_is_named(tmp_path):
    assert only_reason(study_of(tmp_path)).startswith("no run is in it")


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_a_folder_that_may_not_be_read_is_named(tmp_path):
    write_run(tmp_path / "shut" / "a")
    (tmp_path / "shut").chmod(0)
    study = study_of(tmp_path)
    (tmp_path / "shut").chmod(0o700)
    assert study.skipped[0].path == tmp_path / "shut" and "Permission" in study.skipped[0].reason


BAD_SUMMARIES = {
    "status 'KeyboardInterrupt'": {"status": "KeyboardInterrupt"},
    "status missing": {"status": None},
    "seed": {"seed": "zero"},
    "seed is True": {"seed": True},
    "label is missing": {"label": None, "config": {"label": None}},
    "label is '=1+1'": {"label": "=1+1"},
    "label is '<b>'": {"label": "<b>"},
    "label is 'a b'": {"label": "a b"},
    "label is 'é'": {"label": "é"},
    "label": {"label": "x" * 65},
    "return_mean is nan": {"return_mean": float("nan")},
    "return_mean is inf": {"return_mean": float("inf")},
    "return_mean is missing": {"return_mean": None},
    "best_return_mean is '9'": {"best_return_mean": "9"},
    "circuits is missing": {"circuits": None},
    "shots is 1": {"shots": 10**400},
    "return_per_episode is []": {"return_per_episode": []},
    "return_per_episode": {"return_per_episode": [1.0, float("nan")]},
    "env_id": {"env_id": "a\nb"},
    "mujoco is missing": {"versions": {"gymnasium": "1"}},
    "gymnasium is missing": {"versions": "1"},
    "git_commit": {"git_commit": "\x1b[2J"},
    "files of two runs": {"config": {"seed": 3}},
}


@pytest.mark.parametrize("reason", BAD_SUMMARIES)
def test_a_run_with_a_bad_summary_is_named_and_left_out(tmp_path, reason):
    write_run(tmp_path / "bad", **BAD_SUMMARIES[reason])
    assert all(word in only_reason(study_of(tmp_path)) for word in reason.split(" "))


BAD_METRICS = {
    "is empty": "",
    "its last line has no end": METRICS[:-3],
    "has no column env_steps": "test/return_mean\n1\n",
    "has no column test/return_mean": "env_steps,train/return\n1,2\n",
    "has the column 'test/gap' twice": METRICS.replace("train/return", "train/return,test/gap", 1),
    "line 3: 3 cells, expected 4": METRICS.replace("100,,-800,-100.5", "100,,-800"),
    "line 2: train/return is 'nan'": METRICS.replace("-900.5", "nan"),
    "line 2: train/return is 'garbage'": METRICS.replace("-900.5", "garbage"),
    "line 4: env_steps is '50', expected an integer of 100 or more": METRICS.replace("200,", "50,"),
    "line 4: env_steps is '2e2'": METRICS.replace("200,", "2e2,"),
    "line 2: env_steps is '-100'": METRICS.replace("100,-900.5", "-100,-900.5"),
    "has no test": "env_steps,train/return,test/return_mean\n1,2,\n",
    "has 2,400,004 cells, expected at most 2,000,000; log less often": METRICS.partition("\n")[0]
    + "\n"
    + "1,,,\n" * 600_000,
    "is no CSV": METRICS.replace("-900.5", '"-900'),
}


@pytest.mark.parametrize("reason", BAD_METRICS)
def test_a_run_with_bad_metrics_is_named_and_left_out(tmp_path, reason):
    write_run(tmp_path / "bad", metrics=BAD_METRICS[reason])
    assert reason in only_reason(study_of(tmp_path))


DAMAGES = {
    "it has no summary.json": lambda run: (run / "summary.json").unlink(),
    "it has no metrics.csv": lambda run: (run / "metrics.csv").unlink(),
    "config.yaml cannot be read": lambda run: (run / "config.yaml").unlink(),
    "summary.json is not whole": lambda run: os.truncate(run / "summary.json", 60),
    "or not JSON": lambda run: (run / "summary.json").write_text("[" * 100_000),
    "is no JSON object": lambda run: (run / "summary.json").write_text("[1]"),
    "summary.json is not text": lambda run: (run / "summary.json").write_bytes(b"\xff\xfe{}"),
    "metrics.csv is not text": lambda run: (run / "metrics.csv").write_bytes(b"\x00\xff\n"),
    "is a link": lambda run: (run / "summary.json").replace(run / "s") and (run / "summary.json").symlink_to(run / "s"),
    "is no regular file": lambda run: (run / "metrics.csv").unlink() or os.mkfifo(run / "metrics.csv"),
    "bytes, expected at most": lambda run: os.truncate(run / "metrics.csv", 2**26 + 1),
}


@pytest.mark.parametrize("reason", DAMAGES)
def test_a_damaged_folder_is_named_and_left_out(tmp_path, reason):
    DAMAGES[reason](write_run(tmp_path / "bad"))
    assert reason in only_reason(study_of(tmp_path))


def test_a_run_that_has_just_begun_is_named(tmp_path):
    (tmp_path / "new" / "checkpoints").mkdir(parents=True)
    assert only_reason(study_of(tmp_path)) == "it has no summary.json"


def test_a_broken_run_is_left_out_and_the_others_stay(tmp_path):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", seed=1, status="SIGTERM", env_id="Other-v0")
    study = study_of(tmp_path)
    assert len(study.runs["pqc"]) == 1 and [skipped.path.name for skipped in study.skipped] == ["b"]


UNLIKE = {
    "env_id": {"env_id": "Humanoid-v4"},
    "gymnasium": {"versions": {"gymnasium": "1.5.0", "mujoco": "4.0.0"}},
    "mujoco": {"versions": {"gymnasium": "1.4.0", "mujoco": "4.1.0"}},
    "observation_size": {"observation_size": 4},
    "action_size": {"action_size": 2},
    "final_test_episodes": {"return_per_episode": [-150.0]},
    "total_env_steps": {"config": {"total_env_steps": 400}},
    "warmup_env_steps": {"config": {"warmup_env_steps": 200}},
    "test_every_env_steps": {"config": {"test_every_env_steps": 50}},
    "max_episode_steps": {"config": {"env": {"id": "Pendulum-v1", "max_episode_steps": 50}}},
    "test_episodes": {"config": {"callbacks": {"test_episodes": 3, "test_max_episode_steps": None}}},
    "test_max_episode_steps": {"config": {"callbacks": {"test_episodes": 2, "test_max_episode_steps": 9}}},
}


@pytest.mark.parametrize("key", UNLIKE)
def test_unlike_runs_are_not_compared(tmp_path, key):
    one, other = write_run(tmp_path / "one"), write_run(tmp_path / "other", label="fc", **UNLIKE[key])
    with pytest.raises(
        RunFolderError, match=rf"{one} and {other} cannot be compared: {key} is '.+' and '.+'; "
    ) as told:
        study_of(tmp_path)
    assert "\n" not in str(told.value)


def test_seeds_of_one_label_have_one_config(tmp_path):
    write_run(tmp_path / "one")
    write_run(tmp_path / "other", seed=1, config={"algo": {"gamma": 0.9}})
    with pytest.raises(RunFolderError, match=r"cannot be compared: algo\.gamma is 0\.99 and 0\.9; "):
        study_of(tmp_path)


def test_what_follows_from_the_seed_and_where_a_run_lies_may_differ(tmp_path):
    for seed in (0, 1):
        block = CONFIG["block"] | {"circuit": {"family": "x", "seed": seed}}
        own = {"tags": [seed], "run_dir": str(seed), "resume": seed, "logger": {"group": seed}, "num_threads": seed}
        write_run(tmp_path / str(seed), seed=seed, config={"block": block, **own})
    study = study_of(tmp_path)
    assert len(study.runs["pqc"]) == 2 and not study.warnings


def test_a_key_that_one_seed_lacks_is_told(tmp_path):
    write_run(tmp_path / "one")
    write_run(tmp_path / "other", seed=1, config={"algo": {"gamma": 0.99, "new": 1}})
    (warning,) = study_of(tmp_path).warnings
    assert "algo.new" in warning and str(tmp_path / "other") in warning


def test_labels_that_differ_in_more_than_the_block_are_told(tmp_path):
    write_run(tmp_path / "one")
    write_run(tmp_path / "other", label="fc", config={"algo": {"gamma": 0.9}, "block": {"_target_": "qtrl.nn.FC"}})
    assert study_of(tmp_path).warnings == ["not the block alone differs: algo.gamma is 0.99 for pqc, 0.9 for fc"]


def test_several_commits_and_changed_files_are_told(tmp_path):
    for seed, commit in enumerate(("a" * 40, "b" * 40 + "-dirty", "a" * 40, None)):
        write_run(tmp_path / str(seed), seed=seed, git_commit=commit)
    study = study_of(tmp_path)
    assert study.facts["commits"].split(", ") == ["a" * 40, "b" * 40 + "-dirty", "unknown"]
    assert study.warnings[0].startswith("runs were made with 3 commits: ")
    assert study.warnings[1].startswith("1 of 4 runs were made with files that differ")


def test_a_number_that_a_summary_lacks_is_refused(tmp_path):
    study = study_of(write_run(tmp_path / "a", last_ten_return_mean=float("nan")))
    for key in ("last_ten_return_mean", "none", "label"):
        with pytest.raises(ConfigError, match=key):
            study.values("pqc", key)


def test_what_a_run_leaves_is_read(tmp_path, train):
    from qtrl.config.saved import read_config as read_saved

    arguments = ("experiment=pendulum_pqc", "debug=smoke", "logger=csv", "label=mine", "seed=4")
    assert train(*arguments, f"run_dir={tmp_path / 'run'}") == 0
    study = read_study([tmp_path], read_config=lambda folder: read_saved(folder / "config.yaml", ()))
    assert not study.skipped
    (run,) = study.runs["mine"]
    assert run.seed == 4 and run.columns["test/return_mean"][1][-1] == run.summary["return_mean"]
