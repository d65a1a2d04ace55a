"""A lowered circuit as arrays, which is what the kernel reads."""

from typing import NamedTuple

import numpy as np

from qtrl.quantum.circuit import Circuit
from qtrl.quantum.engines.cpu.lanes import LANES
from qtrl.quantum.engines.lowering import Affine, Layer, Matrix, lower

MIN_BITS = 6
"""Bits of the smallest state: sweeps act on three bits within a vector and three across vectors."""

_MOST_TURNS = 64
"""Turns after which the next layer takes up their factor; with a layer's own, 2**84 at most for 20 qubits."""

NONE, VECTORS, NUMBERS = 0, 1, 2
"""How a map moves amplitudes: not at all, vectors as wholes but for the order in them, or number by number."""


class Program(NamedTuple):
    """Layers and the angles that their steps take from *slots*, each the sum of a constant and of scaled angles.

    Shapes: `L` layers, `M` different maps, `K` slots, `T` terms, `E` parities of several bits, `b` bits, `N` = 2**b.

    Attributes:
        n_bits: Bits of the state.
        offsets: (K) constants of the slots.
        starts: (K + 1) where the terms of each slot begin.
        places: (T) the angle of each term.
        factors: (T) its factor.
        maps: (L) the map of each layer, -1 for none.
        kinds: (M) `VECTORS` or `NUMBERS`.
        sources: (M, N) where the amplitude at each place comes from.
        targets: (M, N) where it goes to.
        images: (M, b) the image of each bit.
        origins: (M, b) the image of each bit under the inverse.
        turns: (L, b) slot of the turn of each bit, -1 for none.
        phases: (L, b) slot of the phase of each single bit, -1 for none.
        phased: (L) whether a layer has phases of single bits, or takes up the factor that turns have left out.
        parity_starts: (L + 1) where the parities of each layer begin.
        parity_masks: (E) bits of each parity.
        parity_slots: (E) its slot.
    """

    n_bits: int
    offsets: np.ndarray
    starts: np.ndarray
    places: np.ndarray
    factors: np.ndarray
    maps: np.ndarray
    kinds: np.ndarray
    sources: np.ndarray
    targets: np.ndarray
    images: np.ndarray
    origins: np.ndarray
    turns: np.ndarray
    phases: np.ndarray
    phased: np.ndarray
    parity_starts: np.ndarray
    parity_masks: np.ndarray
    parity_slots: np.ndarray


def make_program(circuit: Circuit) -> Program:
    """Compile a circuit."""
    layers = lower(circuit)
    n_bits = max(MIN_BITS, circuit.n_qubits)
    slots = _Slots()
    turns = [[slots.take(layer.turns.get(bit)) for bit in range(n_bits)] for layer in layers]
    phases = [[slots.take(layer.phases.get(1 << bit)) for bit in range(n_bits)] for layer in layers]
    parities = [_parities(layer) for layer in layers]
    parity_slots = [
        slots.take(layer.phases[mask]) for layer, masks in zip(layers, parities, strict=True) for mask in masks
    ]
    matrices = [layer.matrix(n_bits) if layer.flips else None for layer in layers]
    maps = list(dict.fromkeys(matrix for matrix in matrices if matrix))
    sources, targets = _relabelled([_inverse(matrix) for matrix in maps], n_bits), _relabelled(maps, n_bits)
    return Program(
        n_bits=n_bits,
        **slots.arrays(),
        maps=_ints([maps.index(matrix) if matrix else -1 for matrix in matrices]),
        kinds=_ints([_kind(source) for source in sources]),
        sources=sources,
        targets=targets,
        images=_masks(maps, n_bits),
        origins=_masks([_inverse(matrix) for matrix in maps], n_bits),
        turns=_ints(turns, (len(layers), n_bits)),
        phases=_ints(phases, (len(layers), n_bits)),
        phased=_ints(_rescaled(layers)),
        parity_starts=_ints(np.cumsum([0, *map(len, parities)])),
        parity_masks=np.array([mask for masks in parities for mask in masks], np.int64),
        parity_slots=_ints(parity_slots),
    )


def _rescaled(layers: list[Layer]) -> list[bool]:
    """Say which layers take up the factor that turns leave out: those with phases, and others in good time.

    A turn makes a state up to a square root of 2 longer, and its square must stay within the range of float32.
    """
    turns, rescaled = 0, []
    for number, layer in enumerate(layers):
        turns += len(layer.turns) if number else 0  # the first layer writes its factor itself
        rescaled.append(turns > _MOST_TURNS or any(mask.bit_count() == 1 for mask in layer.phases))
        turns = 0 if rescaled[-1] else turns
    return rescaled


class _Slots:
    """Numbers the angles of steps."""

    def __init__(self) -> None:
        self._taken: list[Affine] = []

    def take(self, angle: Affine | None) -> int:
        if angle is None:
            return -1
        self._taken.append(angle)
        return len(self._taken) - 1

    def arrays(self) -> dict[str, np.ndarray]:
        terms = [term for angle in self._taken for term in angle.terms]
        return {
            "offsets": np.array([angle.offset for angle in self._taken], np.float64),
            "starts": _ints(np.cumsum([0, *(len(angle.terms) for angle in self._taken)])),
            "places": _ints([place for place, _ in terms]),
            "factors": np.array([factor for _, factor in terms], np.float64),
        }


def _parities(layer: Layer) -> list[int]:
    return [mask for mask in layer.phases if mask.bit_count() > 1]


def _inverse(matrix: Matrix) -> Matrix:
    """Invert over GF(2) by elimination on columns."""
    left, right = list(matrix), [1 << bit for bit in range(len(matrix))]
    for bit in range(len(matrix)):
        pivot = next(column for column in range(bit, len(matrix)) if left[column] >> bit & 1)
        for columns in (left, right):
            columns[bit], columns[pivot] = columns[pivot], columns[bit]
        for other in range(len(matrix)):
            if other != bit and left[other] >> bit & 1:
                left[other] ^= left[bit]
                right[other] ^= right[bit]
    return tuple(right)


def _relabelled(matrices: list[Matrix], n_bits: int) -> np.ndarray:
    """Return the image of every basis index under every matrix."""
    basis = np.arange(2**n_bits, dtype=np.int32)
    table = np.zeros((len(matrices), 2**n_bits), np.int32)
    for row, matrix in zip(table, matrices, strict=True):
        for bit, image in enumerate(matrix):
            row ^= (basis >> bit & 1) * np.int32(image)
    return table


def _kind(source: np.ndarray) -> int:
    vectors = source.reshape(-1, LANES) // LANES
    return VECTORS if (vectors == vectors[:, :1]).all() else NUMBERS


def _ints(values: object, shape: tuple[int, ...] = (-1,)) -> np.ndarray:
    return np.array(values, np.int32).reshape(shape)


def _masks(matrices: list[Matrix], n_bits: int) -> np.ndarray:
    return np.array(matrices, np.int64).reshape(len(matrices), n_bits)
