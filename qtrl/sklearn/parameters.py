"""Checks of an estimator's parameters and of sample weights, with the error types that scikit-learn uses."""

from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_array, check_scalar

from qtrl.process.devices import usable_device
from qtrl.quantum.engines import ENGINES
from qtrl.sklearn.network import GRADIENTS

WHOLE = {
    "n_qubits": (1, 20),
    "reps": (0, 1_000),
    "n_layers": (1, 100),
    "hidden": (1, 8_192),
    "links": (0, 8_192),
    "shots": (1, None),
    "predict_shots": (1, None),
    "batch_size": (1, None),
    "max_iter": (1, None),
    "n_iter_no_change": (1, None),
}
"""Least and largest whole number of each parameter."""
OPTIONAL = ("shots", "predict_shots")
"""Those that may be None."""
RATES = ("learning_rate", "surrogate_learning_rate")
"""Numbers above 0."""


def check_parameters(estimator: Any) -> None:
    """Check all parameters of an estimator.

    Raises:
        ValueError: One is out of range or unknown; says what came and what was expected.
        TypeError: One is of another type.
    """
    values = estimator.get_params(deep=False)
    for name, (low, high) in WHOLE.items():
        if not (values[name] is None and name in OPTIONAL):
            check_scalar(values[name], name, Integral, min_val=low, max_val=high)
    for name in RATES:
        check_scalar(values[name], name, Real, min_val=0, include_boundaries="neither")
    for name in ("weight_decay", "tol"):
        check_scalar(values[name], name, Real, min_val=0)
    check_scalar(
        values["validation_fraction"], "validation_fraction", Real, min_val=0, max_val=1, include_boundaries="neither"
    )
    for name, choices in (("gradient", GRADIENTS), ("engine", ENGINES)):
        if values[name] not in choices:
            raise ValueError(f"{name} == {values[name]!r}, must be one of {', '.join(choices)}.")
    try:
        usable_device(values["device"])
    except ValueError as error:
        raise ValueError(f"device == {values['device']!r}, must be a device of this machine: {error}") from error


def checked_weights(sample_weight: Any, n_rows: int) -> npt.NDArray[np.float64]:
    """Return one weight for each row, ones where none are given.

    Raises:
        ValueError: They are not as many as rows, not finite, below 0 or all 0.
    """
    if sample_weight is None:
        return np.ones(n_rows)
    weights = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weights.shape != (n_rows,):
        raise ValueError(f"sample_weight.shape == {weights.shape}, expected {(n_rows,)}!")
    if weights.min() < 0 or weights.max() == 0:
        raise ValueError("sample_weight must not be below zero, and not zero for every row.")
    return weights
