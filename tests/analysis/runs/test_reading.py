import os

import numpy as np
import pytest

from qtrl.analysis.runs.study import read_study


def test_a_run_is_read(tmp_path, write_run, study_of):
    study = study_of(write_run(tmp_path / "a"))
    (run,) = study.runs["pqc"]
    assert (run.path, run.label, run.seed, run.summary["shots"]) == (tmp_path / "a", "pqc", 0, 50_000)
    assert run.config["algo.gamma"] == 0.99
    assert not study.skipped and not study.warnings
    assert study.facts["env_id"] == "Pendulum-v1" and study.facts["mujoco"] == "4.0.0"
    assert study.facts["final_test_episodes"] == "2" and study.facts["commits"] == "c" * 40


def test_empty_cells_are_left_out_and_of_two_values_at_a_step_the_first_counts(tmp_path, write_run, study_of):
    (run,) = study_of(write_run(tmp_path / "a")).runs["pqc"]
    np.testing.assert_equal(run.columns["test/return_mean"], ([100, 300], [-800, -160]))
    np.testing.assert_equal(run.columns["train/return"], ([100, 200, 300], [-900.5, -700, -500]))
    np.testing.assert_equal(run.columns["test/gap"], ([100], [-100.5]))
    assert run.columns["test/gap"][0].dtype == run.columns["test/gap"][1].dtype == np.float64


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
    "env_id is 3, expected a name": {"env_id": 3},
    "mujoco is 3.5, expected a name": {"versions": {"gymnasium": "1", "mujoco": 3.5}},
    "observation_size is 'x', expected a finite number": {"observation_size": "x"},
    "action_size is True": {"action_size": True},
    "git_commit is 7, expected a name": {"git_commit": 7},
    "mujoco is missing": {"versions": {"gymnasium": "1"}},
    "gymnasium is missing": {"versions": "1"},
    "git_commit": {"git_commit": "\x1b[2J"},
    "files of two runs": {"config": {"seed": 3}},
}


@pytest.mark.parametrize("reason", BAD_SUMMARIES)
def test_a_run_with_a_bad_summary_is_named_and_left_out(tmp_path, reason, write_run, only_reason):
    write_run(tmp_path / "bad", **BAD_SUMMARIES[reason])
    assert all(word in only_reason(tmp_path) for word in reason.split(" "))


BAD_METRICS = {  # what a change of the text leads to
    "is empty": lambda text: "",
    "its last line has no end": lambda text: text[:-3],
    "has no column env_steps": lambda text: "test/return_mean\n1\n",
    "has no column test/return_mean": lambda text: "env_steps,train/return\n1,2\n",
    "has the column 'test/gap' twice": lambda text: text.replace("train/return", "train/return,test/gap", 1),
    "line 3: 3 cells, expected 4": lambda text: text.replace("100,,-800,-100.5", "100,,-800"),
    "line 2: train/return is 'nan'": lambda text: text.replace("-900.5", "nan"),
    "line 2: train/return is 'garbage'": lambda text: text.replace("-900.5", "garbage"),
    "line 4: env_steps is '50', expected an integer of 100 or more": lambda text: text.replace("200,", "50,"),
    "line 4: env_steps is '2e2'": lambda text: text.replace("200,", "2e2,"),
    "line 2: env_steps is '-100'": lambda text: text.replace("100,-900.5", "-100,-900.5"),
    "has no test": lambda text: "env_steps,train/return,test/return_mean\n1,2,\n",
    "has 2,400,004 cells, expected at most 2,000,000; log less often": lambda text: (
        text.partition("\n")[0] + "\n" + "1,,,\n" * 600_000
    ),
    "is no CSV": lambda text: text.replace("-900.5", '"-900'),
}


@pytest.mark.parametrize("reason", BAD_METRICS)
def test_a_run_with_bad_metrics_is_named_and_left_out(tmp_path, reason, write_run, only_reason):
    write_run(tmp_path / "bad", metrics=BAD_METRICS[reason])
    assert reason in only_reason(tmp_path)


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
def test_a_damaged_folder_is_named_and_left_out(tmp_path, reason, write_run, only_reason):
    DAMAGES[reason](write_run(tmp_path / "bad"))
    assert reason in only_reason(tmp_path)


def test_what_a_run_leaves_is_read(tmp_path, train):
    from qtrl.config.nested import leaves
    from qtrl.config.saved import read_config

    arguments = ("experiment=pendulum_pqc", "debug=smoke", "logger=csv", "label=mine", "seed=4")
    assert train(*arguments, f"run_dir={tmp_path / 'run'}") == 0
    study = read_study([tmp_path], read_config=lambda folder: dict(leaves(read_config(folder / "config.yaml", ()))))
    assert not study.skipped
    (run,) = study.runs["mine"]
    assert run.seed == 4 and run.columns["test/return_mean"][1][-1] == run.summary["return_mean"]
