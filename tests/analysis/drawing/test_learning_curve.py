from qtrl.analysis.drawing import learning_curve
from qtrl.analysis.drawing.learning_curve import draw_learning_curve
from qtrl.loggers import MetricsCSV


def write_rows(path, rows):
    logger = MetricsCSV(path)
    for row in rows:
        logger.log_metrics(row)


def test_curves_have_the_values_where_they_were_logged_and_of_two_at_a_step_the_first(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(learning_curve, "to_png", lambda figure: drawn.extend(figure.axes[0].lines) or b"")
    rows = [{"env_steps": 10, "train/return": -1.5}, {"env_steps": 20}, {"env_steps": 30, "train/return": 0}]
    write_rows(tmp_path / "a.csv", [*rows, {"env_steps": 30, "train/return": 7}])
    draw_learning_curve(tmp_path / "a.csv", tmp_path / "a.png", title="a run")
    training, test = ([line.get_xdata().tolist(), line.get_ydata().tolist()] for line in drawn)
    assert (training, test) == ([[10, 30], [-1.5, 0.0]], [[], []])


def test_a_run_with_tests_and_one_without_any_can_be_drawn(tmp_path):
    tests = [{"env_steps": n, "test/return_mean": -n, "test/return_std": 5.0, "train/return": n} for n in (10, 20, 30)]
    for name, rows in {"full": tests, "none": [{"env_steps": 10}]}.items():
        write_rows(tmp_path / f"{name}.csv", rows)
        draw_learning_curve(tmp_path / f"{name}.csv", tmp_path / f"{name}.png", title="a $ run")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
