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

    Args:
        n_qubits: Qubits of the circuit, from 1 to 20; its family is `qtrl.quantum.efficient_su2`.
        reps: Repetitions of its entangling layer.
        n_layers: Quantum layers in series.
        hidden: Width of the hidden layers before and after them.
        links: Values that bypass each quantum layer; 0 sends everything through the qubits.
        gradient: What gives the circuits a gradient: `qtdnn`, `exact`, `parameter_shift`, `spsa`, `straight_through`.
        engine: What runs the circuits, one of `qtrl.quantum.engines.ENGINES`.
        shots: Measurements of each circuit in training; None for exact expectations.
        predict_shots: The same in predictions; with shots these are random, and `random_state` seeds them.
        learning_rate: Of Adam with decoupled weight decay, for the classical layers.
        surrogate_learning_rate: Of Adam, for the qtDNNs.
        weight_decay: Of the classical layers.
        batch_size: Rows of a minibatch, drawn with replacement; a qtDNN takes four steps with as many recorded pairs.
        max_iter: Epochs; one has as many updates as minibatches make up the rows, or the sum of their weights.
        early_stopping: Whether a part of the rows is held back, training ends when its score no longer rises, and the
            weights of the best score are kept.
        validation_fraction: That part.
        n_iter_no_change: Epochs without a rise of more than `tol` after which training ends.
        tol: See there.
        device: Where the networks are, such as `cpu` or `cuda`.
        verbose: Whether each epoch's loss is printed.
        random_state: Seeds weights, minibatches and shots; an integer repeats a fit bit for bit on one machine.

    Attributes:
        y_scaler_: Standardizes the targets.
        n_features_in_: Features of a row, F.
        feature_names_in_: Their names, where rows came with names.
        n_iter_: Epochs made.
        loss_: Mean loss over the minibatches of the last one.
        loss_curve_: That of every one.
        validation_scores_: Score of the held-back rows after each epoch; None without early stopping.
        scaler_: Standardizes the features.

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
