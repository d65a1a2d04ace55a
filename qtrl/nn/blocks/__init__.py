"""The exchangeable middle of the hybrid actor: one contract, the paper's four members and controls."""

from qtrl.nn.blocks.base import Block, drawing_from
from qtrl.nn.blocks.classical import FC, RBG, Bernoulli, FCMatched, Zeros
from qtrl.nn.blocks.pqc import PQC, Shuffled

__all__ = ["FC", "PQC", "RBG", "Bernoulli", "Block", "FCMatched", "Shuffled", "Zeros", "drawing_from"]
