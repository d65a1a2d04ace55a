"""A classical surrogate of a block that has no gradient: the network, its fit and its bridge into autograd.

Needs torch alone and knows nothing of circuits: any map from R^n to [0, 1]^m can be given a gradient with it.
"""

from qtrl.surrogate.bridge import VALUES, bridge
from qtrl.surrogate.fit import FitResult, fit
from qtrl.surrogate.qtdnn import QtDNN, default_hidden

__all__ = ["VALUES", "FitResult", "QtDNN", "bridge", "default_hidden", "fit"]
