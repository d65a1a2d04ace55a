"""Twin critics: two estimates of an action's value, side by side."""

from qtrl.nn.critics.categorical import CategoricalCritic
from qtrl.nn.critics.td_learning import TDLoss, TDRows
from qtrl.nn.critics.twin import Critic, TwinCritic

__all__ = ["CategoricalCritic", "Critic", "TDLoss", "TDRows", "TwinCritic"]
