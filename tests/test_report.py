import csv

import numpy as np
from matplotlib.image import imread

from qtrl.keys import METRICS
from qtrl.loggers import MetricsCSV
from qtrl.report import draw_learning_curve
from qtrl.report.learning_curve import read_metric


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


def test_the_picture_shows_the_returns(tmp_path):
    tests = [{"env_steps": n, "test/return_mean": -n, "test/return_std": 5.0, "train/return": n} for n in (10, 20, 30)]
    write_rows(tmp_path / "full.csv", tests)
    write_rows(tmp_path / "none.csv", [{"env_steps": 10}])
    for name in ("full", "none"):
        draw_learning_curve(tmp_path / f"{name}.csv", tmp_path / f"{name}.png", title="a run")
    full, none = (imread(tmp_path / f"{name}.png") for name in ("full", "none"))
    assert full.shape == none.shape == (600, 1050, 4)
    blue = (full[..., 2] - full[..., 0] > 0.3).sum()
    assert blue > 2 * (none[..., 2] - none[..., 0] > 0.3).sum() > 0  # the legend alone
    assert np.unique(full.reshape(-1, 4), axis=0).shape[0] > 10
