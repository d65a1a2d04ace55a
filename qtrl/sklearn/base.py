"""What classifier and regressor share: parameters, validation, the loop over minibatches, the state that is kept."""

import warnings
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data
from torch import Tensor

from qtrl.seeding import seed_for
from qtrl.sklearn.minibatches import WeightedMinibatches
from qtrl.sklearn.network import FITS, make_network
from qtrl.sklearn.parameters import check_parameters, checked_weights
from qtrl.sklearn.plain import from_plain, to_plain
from qtrl.sklearn.training import Training

Array = npt.NDArray[Any]


class HDQNNEstimator(BaseEstimator):
    """What `HDQNNClassifier` and `HDQNNRegressor` have in common.

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
        n_features_in_: Features of a row, F.
        feature_names_in_: Their names, where rows came with names.
        n_iter_: Epochs made.
        loss_: Mean loss over the minibatches of the last one.
        loss_curve_: That of every one.
        validation_scores_: Score of the held-back rows after each epoch; None without early stopping.
        scaler_: Standardizes the features.
    """

    def __init__(
        self,
        *,
        n_qubits: int = 8,
        reps: int = 2,
        n_layers: int = 1,
        hidden: int = 128,
        links: int = 0,
        gradient: str = "qtdnn",
        engine: str = "auto",
        shots: int | None = 1000,
        predict_shots: int | None = None,
        learning_rate: float = 3e-3,
        surrogate_learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        batch_size: int = 64,
        max_iter: int = 200,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        device: str = "cpu",
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        self.n_qubits = n_qubits
        self.reps = reps
        self.n_layers = n_layers
        self.hidden = hidden
        self.links = links
        self.gradient = gradient
        self.engine = engine
        self.shots = shots
        self.predict_shots = predict_shots
        self.learning_rate = learning_rate
        self.surrogate_learning_rate = surrogate_learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    @abstractmethod
    def _learn_targets(self, y: Array, weights: Array, *, anew: bool, classes: Array | None = None) -> None:
        """Learn from the targets what outputs mean; `classes` are all labels, where they were given."""

    @abstractmethod
    def _encoded(self, y: Array) -> Array:
        """Return targets as the loss wants them, (N,) or (N, K)."""

    @property
    @abstractmethod
    def _n_outputs(self) -> int:
        """The number of the network's outputs."""

    @abstractmethod
    def _make_loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the mean loss of outputs (B, K) and encoded targets."""

    @abstractmethod
    def _validated(self, X: Any, y: Any, *, reset: bool) -> tuple[Array, Array]:
        """Return features (N, F) and targets as arrays of finite numbers or labels."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a new network.

        Args:
            X: Features, (N, F).
            y: Targets, (N,).
            sample_weight: At least 0 each, (N,); weight k means as much as the same row k times. None for 1 each.

        Raises:
            ValueError: A parameter or an array is not allowed.
            TypeError: A parameter is of another type.
        """
        check_parameters(self)
        X, y = self._validated(X, y, reset=True)
        weights = checked_weights(sample_weight, len(X))
        self._begin(X, y, weights)
        if self.early_stopping:
            self._fit_while_better(X, y, weights)
        else:
            self._fit_epochs(self._minibatches(X, y, weights), self.max_iter)
        return self

    def _begin(self, X: Array, y: Array, weights: Array, classes: Array | None = None) -> None:
        self._learn_targets(y, weights, anew=True, classes=classes)
        self.scaler_ = StandardScaler().fit(X, sample_weight=weights)
        self._seed = int(check_random_state(self.random_state).randint(2**31))
        self._training = self._new_training()
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] | None = None
        self.n_iter_ = 0

    def _continue(self, X: Array, y: Array, weights: Array, *, new: bool, classes: Array | None = None) -> None:
        """Update the standardization and make one pass over more rows."""
        if new:
            self._begin(X, y, weights, classes)
        else:
            self._learn_targets(y, weights, anew=False)
            self.scaler_.partial_fit(X, sample_weight=weights)
        self._fit_epochs(self._minibatches(X, y, weights), 1)

    def _new_training(self) -> Training:
        seed = self._seed
        with torch.random.fork_rng(devices=[]):  # the caller's random stream stays as it is
            torch.manual_seed(seed_for(seed, "networks"))
            network = make_network(self, self.n_features_in_, self._n_outputs)
        return Training(
            network.to(self.device),
            self._make_loss(),
            learning_rate=self.learning_rate,
            surrogate_learning_rate=self.surrogate_learning_rate,
            weight_decay=self.weight_decay,
            pairs=FITS * self.batch_size,
            seed=seed,
        )

    def _minibatches(self, X: Array, y: Array, weights: Array) -> WeightedMinibatches:
        return WeightedMinibatches(self.scaler_.transform(X), self._encoded(y), weights, self.batch_size)

    def _fit_epochs(self, minibatches: WeightedMinibatches, epochs: int) -> None:
        for _ in range(epochs):
            losses = []
            for _ in range(minibatches.per_epoch):
                x, target = minibatches.draw(self._training.generator("minibatches", "cpu"))
                losses.append(self._training.update(x.to(self.device), target.to(self.device)))
            self.loss_curve_.append(float(np.mean(losses)))
            self.n_iter_ += 1
            if self.verbose:
                print(f"epoch {self.n_iter_}, loss {self.loss_curve_[-1]:.6f}")
        self.loss_ = self.loss_curve_[-1]

    def _fit_while_better(self, X: Array, y: Array, weights: Array) -> None:
        """Train on a part of the rows until the score on the others no longer rises, and keep the best weights."""
        train, held = train_test_split(
            np.arange(len(X)),
            test_size=self.validation_fraction,
            random_state=self._seed,
            stratify=self._strata(y),
        )
        best, best_state, waited = -np.inf, self._training.weights(), 0
        minibatches = self._minibatches(X[train], y[train], weights[train])
        self.validation_scores_ = []
        while self.n_iter_ < self.max_iter and waited < self.n_iter_no_change:
            self._fit_epochs(minibatches, 1)
            score = self._score(X[held], y[held], weights[held])
            self.validation_scores_.append(score)
            waited = 0 if score > best + self.tol else waited + 1
            if score > best:
                best, best_state = score, self._training.weights()
        self._training.network.load_state_dict(best_state)
        self.best_validation_score_ = best

    def _score(self, X: Array, y: Array, weights: Array) -> float:
        """Return what `score` does, of rows without names."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
            return float(self.score(X, y, sample_weight=weights))

    def _strata(self, y: Array) -> Array | None:
        return None

    def _outputs(self, X: Any) -> Array:
        """Return the network's outputs (N, K) in double precision."""
        check_is_fitted(self)
        X = self.scaler_.transform(validate_data(self, X, reset=False, dtype=np.float64))
        return self._training.outputs(torch.from_numpy(X), self.predict_shots).numpy()

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "_training" in state:
            state["_training"] = to_plain(state["_training"].state_dict())
        return state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = self.predict_shots is not None
        return tags

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_training" in state:
            self._training = self._new_training()
            self._training.load_state_dict(from_plain(state["_training"]))
