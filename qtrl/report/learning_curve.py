"""The learning curve of one run as a picture."""

import csv
from collections.abc import Sequence
from pathlib import Path

from qtrl.errors import RunFolderError
from qtrl.keys import ENV_STEPS


def read_metric(rows: Sequence[dict[str, str]], name: str) -> tuple[list[int], list[float]]:
    """Return env steps and values of one metric, where it was logged; of two at one env step, the first."""
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
        title: Stands above the axes.

    Raises:
        RunFolderError: The picture cannot be written.
    """
    from matplotlib.figure import Figure

    with metrics_csv.open(newline="") as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(7, 4), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.plot(*read_metric(rows, "train/return"), color="0.65", linewidth=1, label="training episodes, with noise")
    steps, mean = read_metric(rows, "test/return_mean")
    _, std = read_metric(rows, "test/return_std")
    low = [m - s for m, s in zip(mean, std, strict=True)]
    high = [m + s for m, s in zip(mean, std, strict=True)]
    axes.fill_between(steps, low, high, color="tab:blue", alpha=0.15, linewidth=0)
    axes.plot(steps, mean, color="tab:blue", marker="o", markersize=3, label="test, mean ± std over episodes")
    axes.set(xlabel="env steps", ylabel="return", title=title)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    try:
        figure.savefig(picture)
    except OSError as error:
        raise RunFolderError(f"{picture} cannot be written: {error.strerror}; all else of the run is") from error
