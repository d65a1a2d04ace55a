"""Algorithms as LightningModules, their losses as pure functions."""

from qtrl.algos.fused_adam import FusedAdam
from qtrl.algos.hdqnn import HDQNN
from qtrl.algos.mechanics import UpdateMechanics
from qtrl.algos.settings import TD3Settings
from qtrl.algos.td3 import TD3

__all__ = ["HDQNN", "TD3", "FusedAdam", "TD3Settings", "UpdateMechanics"]
