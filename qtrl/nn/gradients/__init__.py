"""Estimators of the gradient through a block: one contract and its members."""

from qtrl.nn.gradients.base import PAIRS, Direct, GradientEstimator, MakeEstimator, ZeroEstimator
from qtrl.nn.gradients.exact import ExactEstimator, StraightThroughEstimator
from qtrl.nn.gradients.measured import ParameterShiftEstimator, SPSAEstimator
from qtrl.nn.gradients.qtdnn import QtDNNEstimator, local_qtdnn

__all__ = ["PAIRS", "Direct", "ExactEstimator", "GradientEstimator", "MakeEstimator", "ParameterShiftEstimator"]
__all__ += ["QtDNNEstimator", "SPSAEstimator", "StraightThroughEstimator", "ZeroEstimator", "local_qtdnn"]
