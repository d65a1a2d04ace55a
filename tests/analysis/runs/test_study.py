import os

import numpy as np
import pytest

from qtrl.errors import RunFolderError


def test_labels_come_in_the_order_of_the_paper_and_runs_by_seed(tmp_path, write_run, study_of):
    for label in ("zz", "td3", "aa", "fc", "pqc", "rbg", "bernoulli", "zeros"):
        for seed in (10, 9):
            write_run(tmp_path / label / f"seed{seed}", label=label, seed=seed, return_mean=-100.0 - seed)
    study = study_of(tmp_path)
    assert list(study.runs) == ["pqc", "fc", "rbg", "zeros", "bernoulli", "td3", "aa", "zz"]
    assert [run.seed for run in study.runs["fc"]] == [9, 10]
    np.testing.assert_equal(study.values("fc"), [-109, -110])


def test_a_run_reached_twice_counts_once(tmp_path, write_run, study_of):
    run = write_run(tmp_path / "study" / "a")
    study = study_of(tmp_path, tmp_path / "study", run)
    assert len(study.runs["pqc"]) == 1


def test_a_seed_counts_once(tmp_path, write_run, study_of):
    write_run(tmp_path / "a", return_mean=-1.0)
    write_run(tmp_path / "b", return_mean=-2.0)
    study = study_of(tmp_path)
    assert study.values("pqc") == [-1]
    assert [skipped.path for skipped in study.skipped] == [tmp_path / "b"]
    assert "seed 0 of pqc" in study.skipped[0].reason and str(tmp_path / "a") in study.skipped[0].reason


def test_folders_within_a_run_are_not_searched(tmp_path, write_run, study_of):
    write_run(tmp_path / "a")
    write_run(tmp_path / "a" / "wandb" / "b", seed=1)
    assert len(study_of(tmp_path).runs["pqc"]) == 1


def test_links_are_named_and_not_followed(tmp_path, write_run, only_reason):
    write_run(tmp_path / "elsewhere" / "a")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "a").symlink_to(tmp_path / "elsewhere" / "a")
    assert "link" in only_reason(tmp_path / "study")


def test_a_folder_that_is_not_there_is_refused(tmp_path, study_of):
    with pytest.raises(RunFolderError, match="there is no folder"):
        study_of(tmp_path / "none")


def test_a_folder_without_runs_is_named(tmp_path, only_reason):
    assert only_reason(tmp_path).startswith("no run is in it")


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_a_folder_that_may_not_be_read_is_named(tmp_path, write_run, study_of):
    write_run(tmp_path / "shut" / "a")
    (tmp_path / "shut").chmod(0)
    study = study_of(tmp_path)
    (tmp_path / "shut").chmod(0o700)
    assert study.skipped[0].path == tmp_path / "shut" and "Permission" in study.skipped[0].reason


def test_a_run_that_has_just_begun_is_named(tmp_path, only_reason):
    (tmp_path / "new" / "checkpoints").mkdir(parents=True)
    assert only_reason(tmp_path) == "it has no summary.json"


def test_a_broken_run_is_left_out_and_the_others_stay(tmp_path, write_run, study_of):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", seed=1, status="SIGTERM", env_id="Other-v0")
    study = study_of(tmp_path)
    assert len(study.runs["pqc"]) == 1 and [skipped.path.name for skipped in study.skipped] == ["b"]
