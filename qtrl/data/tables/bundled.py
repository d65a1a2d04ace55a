"""Small data sets that come with scikit-learn, so that nothing is downloaded."""

import importlib
from typing import Any

import numpy as np

from qtrl.data.tables.table import KINDS, Table, make_table
from qtrl.errors import DataError


def datasets() -> Any:
    """Return the module `sklearn.datasets`.

    Raises:
        DataError: scikit-learn is not installed.
    """
    return required("sklearn.datasets", "scikit-learn")


def required(module: str, package: str) -> Any:
    """Import what an extra brings.

    Raises:
        DataError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DataError(f"{package} is not installed: pip install 'qtrl[sklearn]' ({error})") from error


def digits() -> Table:
    """Return 1,797 handwritten digits of 8 x 8 pixels."""
    return _bundled("digits", KINDS[0])


def breast_cancer() -> Table:
    """Return 569 tumours with 30 measurements, malignant or benign."""
    return _bundled("breast_cancer", KINDS[0])


def diabetes() -> Table:
    """Return 442 patients with 10 measurements, and how far their disease went on in a year: regression."""
    return _bundled("diabetes", KINDS[1])


def moons(rows: int = 1_000, noise: float = 0.15, seed: int = 0) -> Table:
    """Return two interleaving half circles in the plane.

    Args:
        rows: Points of both together.
        noise: Standard deviation of the noise on each coordinate.
        seed: Of the noise; the points are the same in every run.
    """
    inputs, labels = datasets().make_moons(rows, noise=noise, random_state=seed)
    return make_table("moons", ("x", "y"), inputs, np.asarray(labels), kind=KINDS[0], target="moon")


def _bundled(name: str, kind: str) -> Table:
    loaded = getattr(datasets(), f"load_{name}")()
    names = getattr(loaded, "target_names", None)
    labels = loaded.target if kind == KINDS[1] or names is None else np.asarray([str(n) for n in names])[loaded.target]
    columns = [str(column) for column in loaded.feature_names]
    return make_table(name, columns, np.asarray(loaded.data, float), np.asarray(labels), kind=kind, target="target")
