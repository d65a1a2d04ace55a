"""The regressor."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch.nn.functional as F
from sklearn.base import RegressorMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Tags
from sklearn.utils.validation import validate_data
from torch import Tensor

from qtrl.sklearn.base import Array, HDQNNEstimator
from qtrl.sklearn.parameters import check_parameters, checked_weights


class HDQNNRegressor(RegressorMixin, HDQNNEstimator):
    """Fit numbers by a hybrid network whose quantum layer is trained through a qtDNN, with the mean squared error.

    Parameters are those of `HDQNNEstimator`, and so are the other attributes.

    Attributes:
        y_scaler_: Standardizes the targets.

    Source: arXiv:2503.09119, section 2.
    """

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Make one pass over more rows, from where the training stands.

        Args:
            X: Features, (N, F).
            y: Targets, (N,) or (N, K).
            sample_weight: As of `fit`.

        Raises:
            ValueError: A parameter or an array is not allowed.
        """
        new = not hasattr(self, "_training")
        check_parameters(self)
        X, y = self._validated(X, y, reset=new)
        self._continue(X, y, checked_weights(sample_weight, len(X)), new=new)
        return self

    def predict(self, X: Any) -> Array:
        """Return the targets of each row, (N,) or (N, K)."""
        outputs = self._outputs(X)
        y = self.y_scaler_.inverse_transform(outputs)
        return y[:, 0] if self._flat else y

    def _validated(self, X: Any, y: Any, *, reset: bool) -> tuple[Array, Array]:
        X, y = validate_data(self, X, y, reset=reset, dtype=np.float64, multi_output=True, y_numeric=True)
        return X, y.astype(np.float64)

    def _learn_targets(self, y: Array, weights: Array, *, anew: bool, classes: Array | None = None) -> None:
        if anew:
            self.y_scaler_, self._flat = StandardScaler(), y.ndim == 1
        self.y_scaler_.partial_fit(y.reshape(len(y), -1), sample_weight=weights)

    def _encoded(self, y: Array) -> Array:
        return self.y_scaler_.transform(y.reshape(len(y), -1)).astype(np.float32)

    @property
    def _n_outputs(self) -> int:
        return len(self.y_scaler_.scale_)

    def _make_loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        return F.mse_loss

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
