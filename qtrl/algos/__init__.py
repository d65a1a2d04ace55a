"""Algorithms as LightningModules, their losses as pure functions."""

from qtrl.algos.settings import TD3Settings
from qtrl.algos.td3 import TD3

__all__ = ["TD3", "TD3Settings"]
