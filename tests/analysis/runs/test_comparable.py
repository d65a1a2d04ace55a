import pytest

from qtrl.errors import RunFolderError

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
    "kwargs": {"config": {"env": {"id": "Pendulum-v1", "max_episode_steps": None, "kwargs": {"g": 5.0}}}},
    "wrappers": {
        "config": {"env": {"id": "Pendulum-v1", "max_episode_steps": None, "wrappers": [{"_target_": "a.B"}]}}
    },
    "test_episodes": {"config": {"callbacks": {"test_episodes": 3, "test_max_episode_steps": None}}},
    "test_max_episode_steps": {"config": {"callbacks": {"test_episodes": 2, "test_max_episode_steps": 9}}},
}


@pytest.mark.parametrize("key", UNLIKE)
def test_unlike_runs_are_not_compared(tmp_path, key, write_run, study_of):
    one, other = write_run(tmp_path / "one"), write_run(tmp_path / "other", label="fc", **UNLIKE[key])
    with pytest.raises(
        RunFolderError, match=rf"{one} and {other} cannot be compared: {key} is '.+' and '.+'; "
    ) as told:
        study_of(tmp_path)
    assert "\n" not in str(told.value)


def test_seeds_of_one_label_have_one_config(tmp_path, write_run, study_of):
    write_run(tmp_path / "one")
    write_run(tmp_path / "other", seed=1, config={"algo": {"gamma": 0.9}})
    with pytest.raises(RunFolderError, match=r"cannot be compared: algo\.gamma is 0\.99 and 0\.9; "):
        study_of(tmp_path)


def test_what_follows_from_the_seed_and_where_a_run_lies_may_differ(tmp_path, write_run, study_of):
    for seed in (0, 1):
        block = {"_target_": "qtrl.nn.PQC", "circuit": {"family": "x", "seed": seed}}
        own = {"tags": [seed], "run_dir": str(seed), "resume": seed, "logger": {"group": seed}, "num_threads": seed}
        write_run(tmp_path / str(seed), seed=seed, config={"block": block, **own})
    study = study_of(tmp_path)
    assert len(study.runs["pqc"]) == 2 and not study.warnings


def test_a_key_that_one_seed_lacks_is_told(tmp_path, write_run, study_of):
    write_run(tmp_path / "one")
    write_run(tmp_path / "other", seed=1, config={"algo": {"gamma": 0.99, "new": 1}})
    (warning,) = study_of(tmp_path).warnings
    assert "algo.new" in warning and str(tmp_path / "other") in warning


def test_labels_that_differ_in_more_than_the_block_are_told(tmp_path, write_run, study_of):
    write_run(tmp_path / "one")
    write_run(tmp_path / "other", label="fc", config={"algo": {"gamma": 0.9}, "block": {"_target_": "qtrl.nn.FC"}})
    assert study_of(tmp_path).warnings == ["not the block alone differs: algo.gamma is 0.99 for pqc, 0.9 for fc"]


@pytest.mark.parametrize(
    "group", ["task", "block", "circuit", "engine", "gradient", "actor", "critic", "exploration", "model"]
)
def test_labels_may_differ_in_the_groups_that_make_a_variant(tmp_path, group, write_run, study_of):
    for label in ("pqc", "fc"):
        write_run(tmp_path / label, label=label, config={group: {"_target_": label, "value": label}})
    assert not study_of(tmp_path).warnings


def test_several_commits_and_changed_files_are_told(tmp_path, write_run, study_of):
    for seed, commit in enumerate(("a" * 40, "b" * 40 + "-dirty", "a" * 40, None)):
        write_run(tmp_path / str(seed), seed=seed, git_commit=commit)
    study = study_of(tmp_path)
    assert study.facts["commits"].split(", ") == ["a" * 40, "b" * 40 + "-dirty", "unknown"]
    assert study.warnings[0].startswith("runs were made with 3 commits: ")
    assert study.warnings[1].startswith("1 of 4 runs were made with files that differ")


def test_a_seed_that_equals_the_runs_own_is_no_missing_key(tmp_path, write_run, study_of):
    for seed in (0, 1):
        write_run(tmp_path / str(seed), seed=seed, config={"dataset": {"seed": 0}})
    assert not study_of(tmp_path).warnings
