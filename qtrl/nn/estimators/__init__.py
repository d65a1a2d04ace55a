"""How a gradient gets through the block in the approximate actor: one contract, one file for each member."""

from qtrl.nn.estimators.base import GradientEstimator
from qtrl.nn.estimators.direct import Direct
from qtrl.nn.estimators.exact import ExactEstimator
from qtrl.nn.estimators.parameter_shift import ParameterShiftEstimator
from qtrl.nn.estimators.qtdnn import QtDNNEstimator
from qtrl.nn.estimators.spsa import SPSAEstimator
from qtrl.nn.estimators.straight_through import StraightThroughEstimator
from qtrl.nn.estimators.zero import ZeroEstimator

__all__ = [
    "Direct",
    "ExactEstimator",
    "GradientEstimator",
    "ParameterShiftEstimator",
    "QtDNNEstimator",
    "SPSAEstimator",
    "StraightThroughEstimator",
    "ZeroEstimator",
]
