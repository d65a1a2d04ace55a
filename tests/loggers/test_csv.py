import csv

import pytest

from qtrl.errors import RunFolderError
from qtrl.keys import METRICS
from qtrl.loggers import MetricsCSV


@pytest.fixture
def logger(tmp_path):
    return MetricsCSV(tmp_path / "metrics.csv")


def rows_of(logger):
    with logger.path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_are_appended_under_fixed_columns(logger):
    logger.log_metrics({"env_steps": 1, "loss/critic": 0.5})
    logger.log_metrics({"updates": 3, "env_steps": 2}, step=77)
    assert logger.path.read_text().splitlines()[0] == ",".join(METRICS)
    first, second = rows_of(logger)
    assert {name: cell for name, cell in first.items() if cell} == {"env_steps": "1", "loss/critic": "0.5"}
    assert {name: cell for name, cell in second.items() if cell} == {"env_steps": "2", "updates": "3"}


def test_a_run_may_have_columns_of_its_own(tmp_path):
    logger = MetricsCSV(tmp_path / "metrics.csv", ("env_steps", "own"))
    logger.log_metrics({"env_steps": 1, "own": 2.0})
    logger.log_metrics({"env_steps": 2, "own": 3.0})
    logger.truncate(1)
    assert rows_of(logger) == [{"env_steps": "1", "own": "2.0"}]


def test_another_logger_goes_on_with_the_file(logger):
    logger.log_metrics({"env_steps": 1})
    MetricsCSV(logger.path).log_metrics({"env_steps": 2})
    assert [row["env_steps"] for row in rows_of(logger)] == ["1", "2"]
    assert logger.path.read_text().count("env_steps,updates") == 1


def test_numbers_come_back_exactly(logger):
    logger.log_metrics({"env_steps": 1, "loss/critic": 0.1 + 0.2})
    assert float(rows_of(logger)[0]["loss/critic"]) == 0.1 + 0.2


def test_a_name_that_is_not_defined_is_a_mistake(logger):
    with pytest.raises(ValueError, match="loss/typo"):
        logger.log_metrics({"env_steps": 1, "loss/typo": 1.0})


@pytest.mark.parametrize(("rows", "left"), [(0, []), (1, [10]), (2, [10, 20]), (99, [10, 20, 20, 30])])
def test_rows_after_a_checkpoint_are_dropped_and_the_others_stay_as_they_are(logger, rows, left):
    for step in (10, 20, 20, 30):
        logger.log_metrics({"env_steps": step, "test/return_mean": -0.1})
    before = logger.path.read_bytes()
    logger.truncate(rows)
    assert [int(row["env_steps"]) for row in rows_of(logger)] == left
    assert before.startswith(logger.path.read_bytes())
    assert logger.row_count == len(left)
    logger.log_metrics({"env_steps": 40})
    assert logger.row_count == len(left) + 1


@pytest.mark.parametrize("kept", [-1, -2, -20])
def test_a_row_that_a_kill_cut_short_is_dropped(logger, kept):
    for step in (10, 20):
        logger.log_metrics({"env_steps": step, "test/return_mean": -0.1})
    logger.path.write_bytes(logger.path.read_bytes()[:kept])
    logger.truncate(99)
    assert [int(row["env_steps"]) for row in rows_of(logger)] == [10]
    logger.log_metrics({"env_steps": 20})
    assert [int(row["env_steps"]) for row in rows_of(logger)] == [10, 20]


@pytest.mark.parametrize(
    "content",
    [
        "env_steps\nten\n",
        "steps\n10\n",
        "env_steps,more\n1,2\n",
        "env_steps\n1,2,3\n",
        'env_steps\n"1\n',
        "\x00\xff\n1\n",
    ],
)
def test_another_file_is_refused_and_stays(logger, content):
    logger.path.write_text(content)
    with pytest.raises(RunFolderError, match="is not the metrics of such a run"):
        logger.truncate(5)
    assert logger.path.read_text() == content


def test_there_may_be_nothing_to_drop_yet(logger):
    logger.truncate(5)
    assert not logger.path.exists()
