"""Estimators of the gradient through a block: one contract, one file for each member."""

from qtrl.nn.gradients.base import PAIRS, GradientEstimator
from qtrl.nn.gradients.direct import Direct
from qtrl.nn.gradients.exact import ExactEstimator
from qtrl.nn.gradients.parameter_shift import ParameterShiftEstimator
from qtrl.nn.gradients.qtdnn import QtDNNEstimator
from qtrl.nn.gradients.spsa import SPSAEstimator
from qtrl.nn.gradients.straight_through import StraightThroughEstimator
from qtrl.nn.gradients.zero import ZeroEstimator

__all__ = [
    "PAIRS",
    "Direct",
    "ExactEstimator",
    "GradientEstimator",
    "ParameterShiftEstimator",
    "QtDNNEstimator",
    "SPSAEstimator",
    "StraightThroughEstimator",
    "ZeroEstimator",
]
