"""Entropies and correlations of measured qubits, exact from the probabilities of a circuit's final state.

Shapes: `B` batch, `n` qubits.
"""

import math

import torch
from torch import Tensor

from qtrl.quantum.engine import bits_of


def binary_entropy(probability: Tensor) -> Tensor:
    """Return the entropy of a bit in bits, elementwise, for its probability of 1."""
    return (torch.special.entr(probability) + torch.special.entr(1 - probability)) / math.log(2)


def state_entropy(probabilities: Tensor) -> Tensor:
    """Return the joint entropy (B,) of all qubits when they are measured, in bits, for probabilities (B, 2**n).

    From 0 for a single bit string to n for equally probable ones. A random state of many qubits has n - 0.61.
    """
    return torch.special.entr(probabilities).sum(dim=1) / math.log(2)


def total_correlation(probabilities: Tensor) -> Tensor:
    """Return the sum of the qubits' entropies minus their joint entropy, also called multi-information.

    (B,) in bits for probabilities (B, 2**n): 0 where the qubits are independent, at most n - 1.

    Source: S. Watanabe, IBM Journal of Research and Development 4 (1960) 66-82, doi:10.1147/rd.41.0066.
    """
    length = probabilities.shape[1]
    bits = bits_of(torch.arange(length, device=probabilities.device), length.bit_length() - 1)
    marginals = (probabilities @ bits.to(probabilities.dtype)).clamp(max=1.0)
    return (binary_entropy(marginals).sum(dim=1) - state_entropy(probabilities)).clamp(min=0.0)


def spread(expectations: Tensor) -> Tensor:
    """Return by how much expectations (B, n) vary over the batch: each qubit's standard deviation, averaged over them.

    At most 0.5. Near 0 the circuit gives the same distribution for all inputs.
    """
    return expectations.std(dim=0, correction=0).mean()
