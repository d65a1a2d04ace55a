"""The learning curve of one run."""

import csv
from pathlib import Path

import numpy as np

from qtrl.analysis.drawing.export import escaped, new_figure, to_png
from qtrl.files.atomic import write_bytes
from qtrl.keys import ENV_STEPS


def draw_learning_curve(metrics_csv: Path, picture: Path, *, title: str) -> None:
    """Draw training and test returns of a run's `metrics.csv` over env steps, as PNG.

    Raises:
        RunFolderError: The picture cannot be written.
    """
    with metrics_csv.open(newline="") as file:
        rows = list(csv.DictReader(file))

    def curve(name: str) -> tuple[list[float], np.ndarray]:
        """Return env steps and values, without empty cells; of two at one env step, the first."""
        values: dict[float, float] = {}
        for row in rows:
            if row.get(name):
                values.setdefault(float(row[ENV_STEPS]), float(row[name]))
        return list(values), np.array(list(values.values()))

    figure = new_figure(7, 4)
    axes = figure.add_subplot()
    axes.plot(*curve("train/return"), color="0.65", linewidth=1, label="training episodes, with noise")
    (steps, mean), (_, std) = curve("test/return_mean"), curve("test/return_std")
    axes.fill_between(steps, mean - std, mean + std, color="tab:blue", alpha=0.15, linewidth=0)
    axes.plot(steps, mean, color="tab:blue", marker="o", markersize=3, label="test, mean ± std over episodes")
    axes.set(xlabel="env steps", ylabel="return", title=escaped(title))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    write_bytes(picture, to_png(figure))
