import json

import pytest

from qtrl.errors import RunFolderError
from qtrl.run.result import finished_metric, metric_text
from qtrl.tasks import RunLength

TOTAL = 20_000
COMPLETE = {"status": "complete", "env_steps": 20_000, "return_mean": -120.5, "best_return_mean": -99.0}


@pytest.fixture
def finished(tmp_path):
    def given(summary, metric="test/return_mean"):
        text = summary if isinstance(summary, str) else json.dumps(summary)
        (tmp_path / "summary.json").write_text(text)
        return finished_metric(tmp_path, metric, lambda world_size: RunLength(TOTAL * world_size, 1))

    return given


@pytest.mark.parametrize(("metric", "value"), [("test/return_mean", -120.5), ("test/best_return", -99.0)])
def test_a_complete_run_gives_its_metric(finished, metric, value):
    assert finished(COMPLETE, metric) == value


@pytest.mark.parametrize("changed", [{"status": "DivergenceError: x"}, {"env_steps": 19_999}, {"world_size": 2}])
def test_a_run_with_something_left_to_do_goes_on(finished, changed):
    assert finished(COMPLETE | changed) is None


@pytest.mark.parametrize(
    ("metric", "text"), [("test/return_mean", "0.9"), ("test/accuracy", "0.9123"), ("validation/r2", "0.9123")]
)
def test_a_share_has_more_decimals_than_a_return(metric, text):
    assert metric_text(metric, 0.9123) == text


def test_a_run_without_a_summary_goes_on(tmp_path):
    assert finished_metric(tmp_path, "test/return_mean", lambda world_size: RunLength(TOTAL, 1)) is None


def test_a_run_of_several_ranks_is_as_long_as_they_make_it(finished):
    assert finished(COMPLETE | {"world_size": 2, "env_steps": 40_000}) == -120.5


@pytest.mark.parametrize(
    "summary",
    [
        *("{", "[" * 10**5, "[]"),
        *(COMPLETE | wrong for wrong in ({"return_mean": None}, {"env_steps": "x"}, {"world_size": 0})),
    ],
)
def test_a_damaged_summary_is_named(finished, summary):
    with pytest.raises(RunFolderError, match=r"summary\.json.* remove it"):
        finished(summary)
