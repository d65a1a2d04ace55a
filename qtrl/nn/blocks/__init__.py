"""The exchangeable middle of the hybrid actor: one contract, the paper's four members and controls."""

from qtrl.nn.blocks.base import Block
from qtrl.nn.blocks.bernoulli import Bernoulli
from qtrl.nn.blocks.fc import FC
from qtrl.nn.blocks.fc_matched import FCMatched
from qtrl.nn.blocks.pqc import PQC
from qtrl.nn.blocks.rbg import RBG
from qtrl.nn.blocks.shuffled import Shuffled
from qtrl.nn.blocks.zeros import Zeros

__all__ = ["FC", "PQC", "RBG", "Bernoulli", "Block", "FCMatched", "Shuffled", "Zeros"]
