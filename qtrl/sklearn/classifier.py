"""The classifier."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data
from torch import Tensor

from qtrl.sklearn.base import Array, HDQNNEstimator
from qtrl.sklearn.parameters import check_parameters, checked_weights


class HDQNNClassifier(ClassifierMixin, HDQNNEstimator):
    """Classify by a hybrid network whose quantum layer is trained through a qtDNN.

    Parameters are those of `HDQNNEstimator`, and so are the other attributes.

    Attributes:
        classes_: The labels, sorted, (K,).

    Source: arXiv:2503.09119, section 2.
    """

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Make one pass over more rows, from where the training stands.

        Args:
            X: Features, (N, F).
            y: Labels, (N,).
            classes: All labels that will come; needed in the first call, and the same in any other.
            sample_weight: As of `fit`.

        Raises:
            ValueError: A parameter or an array is not allowed, or a label is not one of `classes`.
        """
        new = not hasattr(self, "_training")
        check_parameters(self)
        X, y = self._validated(X, y, reset=new)
        if new and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if classes is not None:
            classes = np.unique(classes)
            if not new and not np.array_equal(classes, self.classes_):
                raise ValueError(f"classes={classes} is not the same as on the first call, which was {self.classes_}.")
        given = self.classes_ if classes is None else classes
        if len(unseen := np.setdiff1d(y, given)):
            raise ValueError(f"y has the label {unseen[0]}, which is not one of classes={given}.")
        self._continue(X, y, checked_weights(sample_weight, len(X)), new=new, classes=given)
        return self

    def predict(self, X: Any) -> Array:
        """Return the most probable label of each row, (N,)."""
        outputs = self._outputs(X)
        best = (outputs[:, 0] > 0).astype(int) if outputs.shape[1] == 1 else outputs.argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each label, (N, K)."""
        outputs = torch.from_numpy(self._outputs(X))
        if outputs.shape[1] > 1:
            return outputs.softmax(dim=1).numpy()
        second = outputs.sigmoid()
        return torch.cat([1 - second, second], dim=1).numpy()

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of the probability of each label, (N, K)."""
        return np.log(self.predict_proba(X))

    def decision_function(self, X: Any) -> Array:
        """Return logits, (N, K); for two labels that of the second one, (N,)."""
        outputs = self._outputs(X)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def _validated(self, X: Any, y: Any, *, reset: bool) -> tuple[Array, Array]:
        X, y = validate_data(self, X, y, reset=reset, dtype=np.float64)
        check_classification_targets(y)
        return X, y

    def _learn_targets(self, y: Array, weights: Array, *, anew: bool, classes: Array | None = None) -> None:
        if not anew:
            return
        self.classes_ = np.unique(y) if classes is None else classes
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class only, {self.classes_[0]}; a classifier needs at least 2 classes.")

    def _encoded(self, y: Array) -> Array:
        return np.searchsorted(self.classes_, y)

    @property
    def _n_outputs(self) -> int:
        return 1 if len(self.classes_) == 2 else len(self.classes_)

    def _make_loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        return _binary_loss if self._n_outputs == 1 else F.cross_entropy

    def _strata(self, y: Array) -> Array:
        return y


def _binary_loss(outputs: Tensor, y: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(outputs[:, 0], y.to(outputs.dtype))
