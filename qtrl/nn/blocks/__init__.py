"""The exchangeable middle of the hybrid actor: one contract, four members."""

from qtrl.nn.blocks.base import Block
from qtrl.nn.blocks.fc import FC
from qtrl.nn.blocks.pqc import PQC
from qtrl.nn.blocks.rbg import RBG
from qtrl.nn.blocks.zeros import Zeros

__all__ = ["FC", "PQC", "RBG", "Block", "Zeros"]
