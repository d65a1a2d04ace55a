"""The learning curve of one run."""

import csv
from collections.abc import Sequence
from pathlib import Path

from qtrl.analysis.drawing.export import escaped, new_figure, to_png
from qtrl.files.atomic import write_bytes
from qtrl.keys import ENV_STEPS


def read_metric(rows: Sequence[dict[str, str]], name: str) -> tuple[list[int], list[float]]:
    """Return env steps and values of one metric, without empty cells; of two at one env step, the first."""
    values: dict[int, float] = {}
    for row in rows:
        if row.get(name):
            values.setdefault(int(row[ENV_STEPS]), float(row[name]))
    return list(values), list(values.values())


def draw_learning_curve(metrics_csv: Path, picture: Path, *, title: str) -> None:
    """Draw training and test returns over env steps.

    Args:
        metrics_csv: A run's `metrics.csv`.
        picture: The PNG to write.
        title: Above the axes.

    Raises:
        RunFolderError: The picture cannot be written.
    """
    with metrics_csv.open(newline="") as file:
        rows = list(csv.DictReader(file))
    figure = new_figure(7, 4)
    axes = figure.add_subplot()
    axes.plot(*read_metric(rows, "train/return"), color="0.65", linewidth=1, label="training episodes, with noise")
    steps, mean = read_metric(rows, "test/return_mean")
    _, std = read_metric(rows, "test/return_std")
    low = [m - s for m, s in zip(mean, std, strict=True)]
    high = [m + s for m, s in zip(mean, std, strict=True)]
    axes.fill_between(steps, low, high, color="tab:blue", alpha=0.15, linewidth=0)
    axes.plot(steps, mean, color="tab:blue", marker="o", markersize=3, label="test, mean ± std over episodes")
    axes.set(xlabel="env steps", ylabel="return", title=escaped(title))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    write_bytes(picture, to_png(figure))
