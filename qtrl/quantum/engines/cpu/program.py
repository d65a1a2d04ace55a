"""A lowered circuit as arrays, which is what the kernel reads."""

from typing import NamedTuple

import numpy as np

from qtrl.quantum.circuit import Circuit
from qtrl.quantum.engines.cpu.lanes import LANES
from qtrl.quantum.engines.lowering import Layer, images_of, lower, tabulate

MIN_BITS = 6  # of the smallest state: sweeps act on three bits within a vector and three across vectors
_MOST_TURNS = 64  # until the next layer takes up their factor; with a layer's own, 2**84 at most for 20 qubits

NONE, VECTORS, NUMBERS = 0, 1, 2
"""How a map moves amplitudes: not at all, vectors as wholes but for the order in them, or number by number."""


class Program(NamedTuple):
    """Layers and the angles that their steps take from *slots*, each the sum of a constant and of scaled angles.

    Shapes: `L` layers, `M` different maps, `K` slots, `T` terms, `E` parities of several bits, `b` bits, `N` = 2**b.
    """

    n_bits: int  # of the state
    offsets: np.ndarray  # (K) constants of the slots
    starts: np.ndarray  # (K + 1) where the terms of each slot begin
    places: np.ndarray  # (T) the angle of each term
    factors: np.ndarray  # (T) its factor
    maps: np.ndarray  # (L) the map of each layer, -1 for none
    kinds: np.ndarray  # (M) `VECTORS` or `NUMBERS`
    sources: np.ndarray  # (M, N) where the amplitude at each place comes from
    targets: np.ndarray  # (M, N) where it goes to
    images: np.ndarray  # (M, b) the image of each bit
    origins: np.ndarray  # (M, b) the image of each bit under the inverse
    turns: np.ndarray  # (L, b) slot of the turn of each bit, -1 for none
    phases: np.ndarray  # (L, b) slot of the phase of each single bit, -1 for none
    phased: np.ndarray  # (L) whether a layer has phases of single bits, or takes up the factor that turns left out
    parity_starts: np.ndarray  # (L + 1) where the parities of each layer begin
    parity_masks: np.ndarray  # (E) bits of each parity
    parity_slots: np.ndarray  # (E) its slot


def make_program(circuit: Circuit) -> Program:
    """Compile a circuit."""
    layers, n_bits = lower(circuit) or [Layer()], max(MIN_BITS, circuit.n_qubits)
    tables = tabulate(layers, n_bits)
    terms = [term for angle in tables.angles for term in angle.terms]
    targets = _ints([images_of(matrix) for matrix in tables.matrices], (-1, 2**n_bits))
    sources = np.empty_like(targets)
    np.put_along_axis(sources, targets, np.arange(2**n_bits, dtype=np.int32)[None], axis=1)
    single_bits = 1 << np.arange(n_bits)
    return Program(
        n_bits=n_bits,
        offsets=np.array([angle.offset for angle in tables.angles], np.float64),
        starts=_ints(np.cumsum([0, *(len(angle.terms) for angle in tables.angles)])),
        places=_ints([place for place, _ in terms]),
        factors=np.array([factor for _, factor in terms], np.float64),
        maps=_ints(tables.maps),
        kinds=_ints([_kind(source) for source in sources]),
        sources=sources,
        targets=targets,
        images=np.ascontiguousarray(targets[:, single_bits], np.int64),
        origins=np.ascontiguousarray(sources[:, single_bits], np.int64),
        turns=_ints(tables.turns, (len(layers), n_bits)),
        phases=_ints(tables.phases, (len(layers), n_bits)),
        phased=_ints(_rescaled(layers)),
        parity_starts=_ints(tables.parity_starts),
        parity_masks=np.array(tables.parity_masks, np.int64),
        parity_slots=_ints(tables.parity_slots),
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


def _kind(source: np.ndarray) -> int:
    vectors = source.reshape(-1, LANES) // LANES
    return VECTORS if (vectors == vectors[:, :1]).all() else NUMBERS


def _ints(values: object, shape: tuple[int, ...] = (-1,)) -> np.ndarray:
    return np.array(values, np.int32).reshape(shape)
