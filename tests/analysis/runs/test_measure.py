import json
from dataclasses import asdict

import pytest

from qtrl.analysis.runs.measure import RETURN, Measure, measure_of
from qtrl.analysis.statistics.levels import level_rows
from qtrl.analysis.statistics.table import table
from qtrl.errors import RunFolderError


def test_a_run_that_names_none_is_compared_by_its_return():
    assert measure_of({}) is RETURN


def test_a_measure_is_read_back_as_it_was_written():
    own = Measure(name="R²", unit="share", final="f", best="b", curve="validation/r2", counts="examples", facts=("d",))
    assert measure_of({"measure": json.loads(json.dumps(asdict(own)))}) == own
    assert (own.subject, own.tests) == ("d", "validation")


def test_runs_are_compared_by_the_score_that_they_name(model_study):
    assert not model_study.skipped and not model_study.warnings
    assert (model_study.subject, model_study.facts["task"]) == ("moons", "qtrl.tasks.Supervised")
    assert "env_id" not in model_study.facts and "kwargs" not in model_study.facts
    pqc, fc = table(model_study, reference="pqc")
    assert 0.9 <= pqc.mean <= 0.95 and fc.probability_of_improvement == 0
    assert (pqc.best_mean, pqc.last_ten_mean) == pytest.approx((0.8, 0.725))


def test_levels_are_of_that_score(model_study):
    rows = level_rows(model_study, [0.74])
    assert {(row.block, row.reached, row.env_steps) for row in rows} == {("pqc", 3, 300), ("fc", 3, 300)}


def test_runs_on_other_data_are_not_compared(make_model_run, study_in, tmp_path):
    make_model_run(tmp_path / "one", "pqc", 0)
    make_model_run(tmp_path / "other", "fc", 0, fingerprint="b" * 64)
    with pytest.raises(RunFolderError, match="cannot be compared: fingerprint is "):
        study_in(tmp_path)


def test_a_run_that_says_nothing_of_itself_is_left_out(make_model_run, study_in, tmp_path):
    make_model_run(tmp_path / "one", "pqc", 0, measure=None)
    assert "env_id is missing" in study_in(tmp_path).skipped[0].reason


def test_agents_and_models_are_not_compared(make_model_run, study_in, study_dir, tmp_path):
    make_model_run(tmp_path / "model", "pqc", 0)
    with pytest.raises(RunFolderError, match=r"cannot be compared: measure\.name is '(return|accuracy)'"):
        study_in(study_dir / "fc" / "seed0", tmp_path)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"more": 1}, "measure is no mapping"),
        ({"name": "a\nb"}, "measure.name is"),
        ({"digits": True}, "measure.digits is True"),
        ({"facts": []}, "measure.facts is empty"),
        ({"facts": ["x", 1]}, "measure.facts is"),
        ({"facts": ["nothing.at.all"]}, "all is missing"),
        ({"curve": "nowhere"}, "no column nowhere"),
        ({"final": "nowhere"}, "nowhere is missing"),
        ({"starts": "nowhere"}, "nowhere is missing"),
    ],
)
def test_a_measure_that_does_not_fit_is_told(changed, words, model_study, make_model_run, study_in, tmp_path):
    make_model_run(tmp_path / "one", "pqc", 0, measure=asdict(model_study.measure) | changed)
    (skipped,) = study_in(tmp_path).skipped
    assert words in skipped.reason and "\n" not in skipped.reason
