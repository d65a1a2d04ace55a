import csv

from qtrl.analysis.drawing.learning_curve import draw_learning_curve, read_metric
from qtrl.keys import METRICS
from qtrl.loggers import MetricsCSV


def write_rows(path, rows):
    logger = MetricsCSV(path)
    for row in rows:
        logger.log_metrics(row)


def test_a_metric_is_read_where_it_was_logged(tmp_path):
    path = tmp_path / "metrics.csv"
    write_rows(path, [{"env_steps": 10, "train/return": -1.5}, {"env_steps": 20}, {"env_steps": 30, "train/return": 0}])
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert read_metric(rows, "train/return") == ([10, 30], [-1.5, 0.0])
    assert read_metric(rows, METRICS[-1]) == ([], [])


def test_a_run_with_tests_and_one_without_any_can_be_drawn(tmp_path):
    tests = [{"env_steps": n, "test/return_mean": -n, "test/return_std": 5.0, "train/return": n} for n in (10, 20, 30)]
    for name, rows in {"full": tests, "none": [{"env_steps": 10}]}.items():
        write_rows(tmp_path / f"{name}.csv", rows)
        draw_learning_curve(tmp_path / f"{name}.csv", tmp_path / f"{name}.png", title="a $ run")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
