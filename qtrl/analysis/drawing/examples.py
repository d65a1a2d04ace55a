"""Pictures of a supervised run, from the tables in its folder."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qtrl.analysis.drawing.export import escaped, new_figure, to_png
from qtrl.files.atomic import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CELLS = 20
"""Classes up to which counts are written into the cells of a confusion matrix."""


def draw_examples(run_dir: Path, table: Any, train: Any) -> None:
    """Draw `learning_curve.png`, `test.png` and, of a table with two inputs, `decision_surface.png`.

    Args:
        run_dir: Has `metrics.csv`, `test_predictions.csv` and `decision_surface.csv`.
        table: A `qtrl.data.tables.Table`.
        train: Its training rows, a `qtrl.data.tables.Part`.

    Raises:
        RunFolderError: A picture cannot be written.
    """
    draw_curves(run_dir / "metrics.csv", run_dir / "learning_curve.png", title=run_dir.name)
    draw_test(run_dir / "test_predictions.csv", run_dir / "test.png", classes=table.classes, target=table.target)
    if (run_dir / "decision_surface.csv").exists():
        draw_surface(run_dir / "decision_surface.csv", run_dir / "decision_surface.png", table=table, train=train)


def draw_curves(metrics_csv: Path, picture: Path, *, title: str) -> None:
    """Draw losses, and accuracy or R², over epochs."""
    with metrics_csv.open(newline="") as file:
        rows = list(csv.DictReader(file))
    epochs = [(float(row["env_steps"]), float(row["train/epoch"])) for row in rows if row.get("train/epoch")]
    per_epoch = epochs[-1][0] / epochs[-1][1]
    chief = next(name for name in ("accuracy", "r2") if f"validation/{name}" in rows[0])

    def curve(name: str) -> tuple[list[float], list[float]]:
        found = [(float(row["env_steps"]) / per_epoch, float(row[name])) for row in rows if row.get(name)]
        return [x for x, _ in found], [y for _, y in found]

    figure = new_figure(10, 4)
    left, right = figure.subplots(1, 2)
    left.plot(*curve("train/loss"), color="0.65", label="last minibatch, qtDNN in the circuit's place")
    left.plot(*curve("validation/loss"), color="tab:blue", label="validation, real block")
    left.set(xlabel="epoch", ylabel="loss", yscale="log", title=escaped(title))
    right.plot(*curve(f"validation/{chief}"), color="tab:blue", label="validation")
    right.plot(*curve(f"test/{chief}"), color="tab:orange", marker="o", linestyle="none", label="test")
    right.set(xlabel="epoch", ylabel="accuracy" if chief == "accuracy" else "R²")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    write_bytes(picture, to_png(figure))


def draw_test(predictions_csv: Path, picture: Path, *, classes: tuple[str, ...], target: str) -> None:
    """Draw confusion matrix and calibration of classes, or predicted over true numbers."""
    with predictions_csv.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    figure = new_figure(10, 4.5) if classes else new_figure(5, 4.5)
    if classes:
        left, right = figure.subplots(1, 2)
        _confusion(left, [row[1:3] for row in rows], classes)
        _calibration(right, rows)
    else:
        axes = figure.add_subplot()
        values = np.array([[float(row[1]), float(row[2])] for row in rows])
        limits = [values.min(), values.max()]
        axes.plot(limits, limits, color="0.65", linewidth=1)
        axes.scatter(values[:, 0], values[:, 1], s=12, color="tab:blue")
        axes.set(xlabel=escaped(f"{target}, test rows"), ylabel="predicted")
        axes.grid(alpha=0.3)
    write_bytes(picture, to_png(figure))


def _confusion(axes: "Axes", pairs: list[list[str]], classes: tuple[str, ...]) -> None:
    place = {name: index for index, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), int)
    for true, predicted in pairs:
        counts[place[true], place[predicted]] += 1
    axes.imshow(np.log1p(counts), cmap="Blues")
    if len(classes) <= MOST_CELLS:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                color = "white" if count > counts.max() / 4 else "black"
                axes.text(column, row, str(count), ha="center", va="center", color=color, fontsize=8)
        names = [escaped(name) for name in classes]
        axes.set_xticks(range(len(classes)), names, rotation=45 if max(map(len, classes)) > 3 else 0)
        axes.set_yticks(range(len(classes)), names)
    right = int(np.trace(counts))
    axes.set(xlabel="predicted", ylabel="true", title=f"{right} of {counts.sum()} test rows right")


def _calibration(axes: "Axes", rows: list[list[str]]) -> None:
    confidence = np.array([max(float(cell) for cell in row[3:]) for row in rows])
    right = np.array([row[1] == row[2] for row in rows], float)
    edges = np.linspace(0, 1, 11)
    bins = np.clip(np.digitize(confidence, edges[1:-1], right=True), 0, 9)
    axes.plot([0, 1], [0, 1], color="0.65", linewidth=1)
    for index in np.unique(bins):
        chosen = bins == index
        size = 20 + 200 * chosen.mean()
        axes.scatter(confidence[chosen].mean(), right[chosen].mean(), s=size, color="tab:blue")
    axes.set(xlabel="confidence", ylabel="accuracy", title="calibration; discs by number of rows", xlim=(0, 1.02))
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=0.3)


def draw_surface(surface_csv: Path, picture: Path, *, table: Any, train: Any) -> None:
    """Draw what a model of two inputs predicts in the plane, with the training rows."""
    values = np.loadtxt(surface_csv, delimiter=",", skiprows=1)
    x, y = (np.unique(values[:, column]) for column in (0, 1))
    height = values[:, 2].reshape(len(x), len(y)).T
    figure = new_figure(6, 4.5)
    axes = figure.add_subplot()
    scale = {"cmap": "RdBu", "vmin": 0, "vmax": 1} if table.classes else {"cmap": "viridis"}
    filled = axes.pcolormesh(x, y, height, shading="nearest", rasterized=True, **scale)
    if len(table.classes) == 2:
        axes.contour(x, y, height, levels=[0.5], colors="black", linewidths=1)
    points, labels = train.inputs.numpy(), train.targets.numpy()
    colors = {"cmap": scale["cmap"]} if len(table.classes) == 2 or not table.classes else {"cmap": "tab10"}
    axes.scatter(points[:, 0], points[:, 1], c=labels, s=10, edgecolors="0.2", linewidths=0.4, **colors)
    label = f"probability of {table.classes[-1]}" if table.classes else table.target
    figure.colorbar(filled, ax=axes, label=escaped(label))
    axes.set(xlabel=escaped(table.columns[0]), ylabel=escaped(table.columns[1]), title="circuit's predictions")
    write_bytes(picture, to_png(figure))
