"""A lowered circuit as tensors, which is what the kernels read."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor

from qtrl.quantum.circuit import Circuit
from qtrl.quantum.engines.lowering import Matrix, lower, tabulate
from qtrl.quantum.engines.steps import Affine


class Program(NamedTuple):
    """Layers and the angles that their steps take from *slots*, each the sum of a constant and of scaled angles.

    The first slot is the angle 0. It stands where a layer has no turn or no phase on a bit, so that kernels need no
    branch there.

    Shapes: `L` layers, `M` different maps, `K` slots, `T` terms in the longest slot, `E` parities of several bits, `n`
    qubits, `N` = 2**n.
    """

    offsets: Tensor  # (K) constants of the slots
    places: Tensor  # (T, K) the angle of each term
    factors: Tensor  # (T, K) its factor; 0 where a slot has no such term
    maps: Tensor  # (L) the map of each layer, -1 for none
    sources: Tensor  # (M, N) where the amplitude at each place comes from
    turns: Tensor  # (L * n) slot of the turn of each bit
    phases: Tensor  # (L * n) slot of the phase of each single bit
    parity_starts: Tensor  # (L + 1) where the parities of each layer begin
    parity_masks: Tensor  # (E) bits of each parity
    parity_slots: Tensor  # (E) its slot

    def to(self, device: torch.device) -> "Program":
        """Return a copy on `device`."""
        return Program(*(tensor.to(device) for tensor in self))


def make_program(circuit: Circuit) -> Program:
    """Compile a circuit, with tensors on the CPU."""
    tables = tabulate(lower(circuit), circuit.n_qubits, idle=[Affine()])
    longest = max(len(angle.terms) for angle in tables.angles)
    terms = [angle.terms + ((0, 0.0),) * (longest - len(angle.terms)) for angle in tables.angles]
    factors = torch.tensor([[factor for _, factor in row] for row in terms], dtype=torch.float64)
    return Program(
        offsets=torch.tensor([angle.offset for angle in tables.angles], dtype=torch.float64),
        places=_ints([[place for place, _ in row] for row in terms]).T.contiguous(),
        factors=factors.T.contiguous(),
        maps=_ints(tables.maps),
        sources=_ints([_sources(matrix) for matrix in tables.matrices]),
        turns=_ints(list(chain.from_iterable(tables.turns))),
        phases=_ints(list(chain.from_iterable(tables.phases))),
        parity_starts=_ints(tables.parity_starts),
        parity_masks=_ints(tables.parity_masks),
        parity_slots=_ints(tables.parity_slots),
    )


def _sources(matrix: Matrix) -> list[int]:
    """Return the basis index that the map takes to each basis index."""
    basis = torch.arange(2 ** len(matrix))
    images = torch.zeros_like(basis)
    for bit, image in enumerate(matrix):
        images ^= (basis >> bit & 1) * image
    return images.argsort().tolist()


def _ints(values: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
    return torch.tensor(values, dtype=torch.int32)
