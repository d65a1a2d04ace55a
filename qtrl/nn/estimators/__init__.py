"""How a gradient gets through the block in the approximate actor: one contract, one file for each member."""

from qtrl.nn.estimators.base import GradientEstimator
from qtrl.nn.estimators.direct import Direct
from qtrl.nn.estimators.qtdnn import QtDNNEstimator

__all__ = ["Direct", "GradientEstimator", "QtDNNEstimator"]
