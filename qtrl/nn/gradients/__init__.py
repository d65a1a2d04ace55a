"""Estimators of the gradient through a block: one contract and its members."""

from qtrl.nn.gradients.base import PAIRS, Direct, GradientEstimator, ZeroEstimator
from qtrl.nn.gradients.exact import ExactEstimator, StraightThroughEstimator
from qtrl.nn.gradients.measured import ParameterShiftEstimator, SPSAEstimator
from qtrl.nn.gradients.qtdnn import QtDNNEstimator

__all__ = ["PAIRS", "Direct", "ExactEstimator", "GradientEstimator", "ParameterShiftEstimator", "QtDNNEstimator"]
__all__ += ["SPSAEstimator", "StraightThroughEstimator", "ZeroEstimator"]
