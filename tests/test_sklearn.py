"""The scikit-learn estimators: the contract of scikit-learn, and what it does not ask for."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris, make_moons
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

from qtrl.sklearn import HDQNNClassifier, HDQNNRegressor
from qtrl.sklearn.minibatches import WeightedMinibatches

QUICK = {"n_qubits": 3, "reps": 1, "hidden": 16, "shots": 20, "max_iter": 3, "random_state": 0}
ESTIMATORS = [HDQNNClassifier, HDQNNRegressor]
CONTRACT = {"n_qubits": 3, "reps": 1, "max_iter": 40, "learning_rate": 0.01}


def _checks(kind):
    return {
        check.func.__name__: (estimator, check) for estimator, check in estimator_checks_generator(kind(**CONTRACT))
    }


QUICK_CHECKS = (
    "check_estimators_pickle",
    "check_sample_weight_equivalence_on_dense_data",
    "check_methods_subset_invariance",
    "check_estimators_nan_inf",
    "check_no_attributes_set_in_init",
    "check_n_features_in_after_fitting",
)


@pytest.mark.parametrize("name", QUICK_CHECKS)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_contract_of_scikit_learn_in_part(kind, name):
    estimator, check = _checks(kind)[name]
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_whole_contract_of_scikit_learn(kind):
    results = check_estimator(kind(**CONTRACT), on_skip=None)
    assert {result["status"] for result in results if result["check_name"] != "check_array_api_input"} == {"passed"}


@pytest.fixture(scope="module")
def moons():
    return make_moons(200, noise=0.1, random_state=0)


@pytest.fixture(scope="module")
def fitted(moons):
    return HDQNNClassifier(**QUICK).fit(*moons)


def test_learns_moons_through_the_qubits_alone(moons):
    classifier = HDQNNClassifier(n_qubits=3, reps=1, max_iter=40, learning_rate=0.01, random_state=0)
    assert classifier.fit(*moons).score(*moons) > 0.93


@pytest.mark.parametrize("gradient", ["exact", "parameter_shift", "spsa", "straight_through"])
def test_any_gradient_estimator(moons, gradient):
    classifier = HDQNNClassifier(**QUICK | {"gradient": gradient, "max_iter": 1}).fit(*moons)
    assert np.isfinite(classifier.loss_)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_random_state_repeats_a_fit_bit_for_bit(moons, kind):
    X, y = moons
    one, other = (kind(**QUICK).fit(X, y) for _ in range(2))
    assert one.loss_curve_ == other.loss_curve_
    np.testing.assert_array_equal(one.predict(X), other.predict(X))
    assert kind(**QUICK | {"random_state": 1}).fit(X, y).loss_curve_ != one.loss_curve_


def test_fit_leaves_the_global_random_streams_alone(moons):
    torch.manual_seed(0)
    np.random.seed(0)
    expected = torch.rand(1), np.random.rand()
    torch.manual_seed(0)
    np.random.seed(0)
    HDQNNClassifier(**QUICK).fit(*moons)
    assert (torch.rand(1), np.random.rand()) == expected


@pytest.mark.parametrize("gradient", ["qtdnn", "exact"])
def test_training_goes_on_after_a_pickle_as_without_one(moons, gradient):
    X, y = moons
    one = HDQNNClassifier(**QUICK | {"gradient": gradient}).partial_fit(X, y, classes=[0, 1])
    other = pickle.loads(pickle.dumps(one))
    for estimator in (one, other):
        estimator.partial_fit(X, y)
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def test_pickle_holds_arrays_alone(fitted):
    assert b"torch" not in pickle.dumps(fitted)


def test_predictions_with_shots_are_random_and_seeded(moons, fitted):
    X, _ = moons
    exact = fitted.predict_proba(X)
    sampled = pickle.loads(pickle.dumps(fitted)).set_params(predict_shots=5)
    np.testing.assert_array_equal(sampled.predict_proba(X), sampled.predict_proba(X))
    assert np.abs(sampled.predict_proba(X) - exact).max() > 0.001


def test_many_shots_come_near_exact_expectations(moons, fitted):
    X, _ = moons
    exact = fitted.predict_proba(X)
    sampled = pickle.loads(pickle.dumps(fitted)).set_params(predict_shots=100_000).predict_proba(X)
    np.testing.assert_allclose(sampled, exact, atol=0.02)


def test_early_stopping_keeps_the_best_weights():
    X, y = load_iris(return_X_y=True, as_frame=True)
    stopping = {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 30, "learning_rate": 0.03}
    classifier = HDQNNClassifier(**QUICK | stopping).fit(X, y)
    scores = classifier.validation_scores_
    assert len(scores) == classifier.n_iter_ < 30
    assert classifier.best_validation_score_ == max(scores)
    assert max(scores[-2:]) <= max(scores[:-2])
    assert list(classifier.feature_names_in_) == list(X.columns)


def test_pipeline_and_grid_search(moons):
    X, y = moons
    search = GridSearchCV(
        make_pipeline(MinMaxScaler(), HDQNNClassifier(**QUICK)), {"hdqnnclassifier__n_qubits": [1, 2]}, cv=2
    )
    assert search.fit(X, y).best_params_["hdqnnclassifier__n_qubits"] in (1, 2)


def test_layers_in_series_and_links(moons):
    classifier = HDQNNClassifier(**QUICK | {"n_layers": 2, "links": 2}).fit(*moons)
    assert np.isfinite(classifier.loss_)


def test_regressor_scales_targets_and_takes_several():
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = np.column_stack([1000 + 100 * X[:, 0], -X[:, 1]])
    regressor = HDQNNRegressor(**QUICK | {"max_iter": 60, "learning_rate": 0.01, "shots": 200}).fit(X, y)
    assert regressor.predict(X).shape == (60, 2)
    assert regressor.score(X, y) > 0.8


def test_partial_fit_refuses_new_labels(moons):
    X, y = moons
    classifier = HDQNNClassifier(**QUICK).partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="label 2, which is not one of classes"):
        classifier.partial_fit(X, y + 1)
    with pytest.raises(ValueError, match="not the same as on the first call"):
        classifier.partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="must be passed on the first call"):
        clone(classifier).partial_fit(X, y)


def test_fit_after_partial_fits_learns_its_own_labels(moons):
    X, y = moons
    classifier = HDQNNClassifier(**QUICK).partial_fit(X, y, classes=[0, 1]).partial_fit(X, y)
    assert list(classifier.fit(X, np.array(["down", "up"])[y]).classes_) == ["down", "up"]


@pytest.mark.parametrize("gradient", ["exact", "straight_through"])
def test_circuits_are_not_explored_where_nothing_is_fitted(moons, monkeypatch, gradient):
    calls = []
    monkeypatch.setattr("qtrl.sklearn.training.fit_quantum_layers", lambda *_, **__: calls.append(1))
    classifier = HDQNNClassifier(**QUICK | {"gradient": gradient, "max_iter": 1}).fit(*moons)
    explored = classifier._training._generators.state_dict()
    assert not calls
    assert "explore" not in explored


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"n_qubits": 0}, ValueError, "n_qubits == 0, must be >= 1"),
        ({"n_qubits": 4.0}, TypeError, "n_qubits must be an instance of int"),
        ({"shots": 0}, ValueError, "shots == 0, must be >= 1"),
        ({"learning_rate": 0}, ValueError, "learning_rate == 0, must be > 0"),
        ({"validation_fraction": 1.0}, ValueError, "validation_fraction == 1.0, must be < 1"),
        ({"gradient": "qtdn"}, ValueError, "gradient == 'qtdn', must be one of qtdnn, exact"),
        ({"engine": "aer"}, ValueError, "engine == 'aer', must be one of auto"),
        ({"device": "tpu0"}, ValueError, "device == 'tpu0'"),
    ],
)
def test_parameters_are_checked_when_fitting(moons, parameters, error, message):
    with pytest.raises(error, match=message):
        HDQNNClassifier(**QUICK | parameters).fit(*moons)


@pytest.mark.parametrize("weights", [np.array([1.0, -1.0]), np.array([np.nan, 1.0]), np.zeros(2), np.ones(3)])
def test_weights_are_checked(weights):
    with pytest.raises(ValueError, match="sample_weight"):
        HDQNNClassifier(**QUICK).fit([[0.0], [1.0]], [0, 1], sample_weight=weights)


def test_minibatches_draw_rows_in_proportion_to_their_weights():
    x, y, weights = np.arange(4.0)[:, None], np.arange(4), np.array([1.0, 0.0, 2.0, 5.0])
    minibatches = WeightedMinibatches(x, y, weights, batch_size=800)
    rows, labels = minibatches.draw(torch.Generator().manual_seed(0))
    assert torch.bincount(labels, minlength=4).tolist() == [100, 0, 200, 500]
    assert torch.equal(rows[:, 0], labels.float())


@pytest.mark.parametrize(("weights", "expected"), [([1, 1, 1, 1], 2), ([0.1, 0.1, 0.1, 0.1], 2), ([2, 2, 2, 2], 4)])
def test_an_epoch_is_as_long_as_rows_or_weights(weights, expected):
    x = np.arange(4.0)[:, None]
    assert WeightedMinibatches(x, x[:, 0], np.array(weights, float), batch_size=2).per_epoch == expected
