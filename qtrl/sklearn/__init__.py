"""Scikit-learn estimators around a hybrid network with a quantum layer, trained in the paper's three phases.

Needs the extra `sklearn`. Follow scikit-learn's conventions for parameters, attributes and errors.
"""

from qtrl.sklearn.base import HDQNNEstimator
from qtrl.sklearn.classifier import HDQNNClassifier
from qtrl.sklearn.regressor import HDQNNRegressor

__all__ = ["HDQNNClassifier", "HDQNNEstimator", "HDQNNRegressor"]
