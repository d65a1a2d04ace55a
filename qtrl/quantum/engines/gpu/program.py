"""A lowered circuit as tensors, which is what the kernels read."""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from qtrl.quantum.circuit import Circuit
from qtrl.quantum.engines.lowering import Affine, Layer, Matrix, lower


class Program(NamedTuple):
    """Layers and the angles that their steps take from *slots*, each the sum of a constant and of scaled angles.

    The first slot is the angle 0. It stands where a layer has no turn or no phase on a bit, so that kernels need no
    branch there.

    Shapes: `L` layers, `M` different maps, `K` slots, `T` terms in the longest slot, `E` parities of several bits, `n`
    qubits, `N` = 2**n.

    Attributes:
        offsets: (K) constants of the slots.
        places: (T, K) the angle of each term.
        factors: (T, K) its factor; 0 where a slot has no such term.
        maps: (L) the map of each layer, -1 for none.
        sources: (M, N) where the amplitude at each place comes from.
        turns: (L * n) slot of the turn of each bit.
        phases: (L * n) slot of the phase of each single bit.
        parity_starts: (L + 1) where the parities of each layer begin.
        parity_masks: (E) bits of each parity.
        parity_slots: (E) its slot.
    """

    offsets: Tensor
    places: Tensor
    factors: Tensor
    maps: Tensor
    sources: Tensor
    turns: Tensor
    phases: Tensor
    parity_starts: Tensor
    parity_masks: Tensor
    parity_slots: Tensor

    def to(self, device: torch.device) -> "Program":
        """Return a copy on `device`."""
        return Program(*(tensor.to(device) for tensor in self))


def make_program(circuit: Circuit) -> Program:
    """Compile a circuit, with tensors on the CPU."""
    layers, bits = lower(circuit), range(circuit.n_qubits)
    slots = _Slots()
    turns = [slots.take(layer.turns.get(bit)) for layer in layers for bit in bits]
    phases = [slots.take(layer.phases.get(1 << bit)) for layer in layers for bit in bits]
    masks = [_parities(layer) for layer in layers]
    parity_slots = [slots.take(layer.phases[mask]) for layer, few in zip(layers, masks, strict=True) for mask in few]
    matrices = [layer.matrix(circuit.n_qubits) if layer.flips else None for layer in layers]
    distinct = list(dict.fromkeys(matrix for matrix in matrices if matrix))
    return Program(
        *slots.tensors(),
        maps=_ints([distinct.index(matrix) if matrix else -1 for matrix in matrices]),
        sources=_ints([_sources(matrix) for matrix in distinct]),
        turns=_ints(turns),
        phases=_ints(phases),
        parity_starts=_ints(list(accumulate(map(len, masks), initial=0))),
        parity_masks=_ints([mask for few in masks for mask in few]),
        parity_slots=_ints(parity_slots),
    )


class _Slots:
    """Numbers the angles of steps."""

    def __init__(self) -> None:
        self._angles = [Affine()]

    def take(self, angle: Affine | None) -> int:
        if angle is None:
            return 0
        self._angles.append(angle)
        return len(self._angles) - 1

    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return offsets, places and factors."""
        longest = max(len(angle.terms) for angle in self._angles)
        terms = [angle.terms + ((0, 0.0),) * (longest - len(angle.terms)) for angle in self._angles]
        places = _ints([[place for place, _ in row] for row in terms])
        factors = torch.tensor([[factor for _, factor in row] for row in terms], dtype=torch.float64)
        offsets = torch.tensor([angle.offset for angle in self._angles], dtype=torch.float64)
        return offsets, places.T.contiguous(), factors.T.contiguous()


def _parities(layer: Layer) -> list[int]:
    return [mask for mask in layer.phases if mask.bit_count() > 1]


def _sources(matrix: Matrix) -> list[int]:
    """Return the basis index that the map takes to each basis index."""
    basis = torch.arange(2 ** len(matrix))
    images = torch.zeros_like(basis)
    for bit, image in enumerate(matrix):
        images ^= (basis >> bit & 1) * image
    return images.argsort().tolist()


def _ints(values: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
    return torch.tensor(values, dtype=torch.int32)
