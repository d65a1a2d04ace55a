"""One sample from its angles to its final state."""

from typing import NamedTuple

import numpy as np
from numba import njit

from qtrl.quantum.engines.cpu.angles import reduce_angles, sines_and_cosines
from qtrl.quantum.engines.cpu.lanes import LANES, MOVES_LANES, gather, load_permuted
from qtrl.quantum.engines.cpu.products import apply_parity, fill_factors, turn_and_phase, write_product
from qtrl.quantum.engines.cpu.program import VECTORS, Program
from qtrl.quantum.engines.cpu.sweeps import read, turn_lowest, turn_one, turn_three


class Space(NamedTuple):
    """Memory of one call.

    Attributes:
        planes: (4, N) real and imaginary planes of a state, and a second pair to map into; (9, N) for a gradient, which
            needs as many for another state, and scratch.
        halves: (K) half of each slot's reduced angle, without its sign.
        odd: (K) whether an odd number of half revolutions was taken out of it.
        signs: (K) sign that it got.
        sines: (K) sine of each half.
        cosines: (K) cosine of each half.
        tangents: (b) tangent for each bit that turns in the present layer, else 0.
        ratios: (b) complex ratio of each bit's two factors.
        sums: (b) a number for each bit.
        cumulative: (N / LANES) for sampling.
        high: (2, N / LANES) factors of the bits above a vector.
        lanes: (3, LANES) factors of the bits within a vector, and scratch.
    """

    planes: np.ndarray
    halves: np.ndarray
    odd: np.ndarray
    signs: np.ndarray
    sines: np.ndarray
    cosines: np.ndarray
    tangents: np.ndarray
    ratios: np.ndarray
    sums: np.ndarray
    cumulative: np.ndarray
    high: np.ndarray
    lanes: np.ndarray


@njit
def make_space(program: Program, n_planes: int) -> Space:
    """Allocate the memory of one call."""
    n_slots, n_bits, size = len(program.offsets), program.n_bits, 1 << program.n_bits
    return Space(
        np.empty((n_planes, size + 32), np.float32)[:, :size],  # planes that begin at different places of a page
        np.empty(n_slots),
        np.empty(n_slots, np.int64),
        np.empty(n_slots),
        np.empty(n_slots),
        np.empty(n_slots),
        np.empty(n_bits, np.float32),
        np.empty(n_bits, np.complex128),
        np.empty(n_bits),
        np.empty(size // LANES),
        np.empty((2, size // LANES), np.float32),
        np.empty((3, LANES), np.float32),
    )


@njit(forceinline=True)
def take_tangents(program: Program, layer: int, space: Space) -> float:
    """Write the tangents of a layer's turns; return the product of the cosines."""
    scale = 1.0
    for bit in range(program.n_bits):
        slot = program.turns[layer, bit]
        space.tangents[bit] = 0.0
        if slot >= 0:
            space.tangents[bit] = space.sines[slot] / space.cosines[slot]
            scale *= space.cosines[slot]
    return scale


@njit(forceinline=True)
def take_phases(program: Program, layer: int, space: Space) -> complex:
    """Write the ratios of a layer's phases on single bits; return the factor of |0...0>."""
    base = 1.0 + 0.0j
    for bit in range(program.n_bits):
        slot = program.phases[layer, bit]
        space.ratios[bit] = 1.0
        if slot >= 0:
            root = complex(space.cosines[slot], space.sines[slot])
            base *= root.conjugate()
            space.ratios[bit] = root * root
    return base


@njit(forceinline=True)
def move_and_turn(program, chosen, tangents, before, after, lanes):
    """Map a plane into another one, then turn its bits; the highest of more than six is left."""
    if chosen < 0:
        turn_lowest(read, before, after, program.maps, tangents, lanes)
    elif MOVES_LANES and program.kinds[chosen] == VECTORS:
        turn_lowest(load_permuted, before, after, program.sources[chosen], tangents, lanes)
    else:
        turn_lowest(gather, before, after, program.sources[chosen], tangents, lanes)
    bit = 6
    while bit + 3 < program.n_bits:
        turn_three(after, bit - 3, tangents[bit], tangents[bit + 1], tangents[bit + 2])
        bit += 3
    while bit + 1 < program.n_bits:
        turn_one(after, bit - 3, tangents[bit])
        bit += 1


@njit(forceinline=True)
def start(program: Program, space: Space, with_phases: bool) -> None:
    """Write the state after the turns, and where asked the phases of single bits, of the first layer."""
    re, im, high, lanes = space.planes[0], space.planes[1], space.high, space.lanes
    if len(program.maps) == 0:
        re[:], im[:] = 0.0, 0.0
        re[0] = 1.0
        return
    base = take_tangents(program, 0, space) + 0.0j
    space.ratios[:] = 1.0
    if with_phases:
        base *= take_phases(program, 0, space)
    for bit in range(program.n_bits):
        space.ratios[bit] *= space.tangents[bit]
    fill_factors(base, space.ratios, high[0], high[1], lanes[0], lanes[1])
    write_product(re, im, high[0], high[1], lanes[0], lanes[1])


@njit(forceinline=True)
def turn_highest(program, space, re, im):
    """Turn the highest bit of more than six."""
    tangent = space.tangents[program.n_bits - 1]
    if program.n_bits > 6 and tangent != 0:
        turn_one(re, program.n_bits - 4, tangent)
        turn_one(im, program.n_bits - 4, tangent)


@njit(forceinline=True)
def phase(program, layer, tangent, scale, re, im, space):
    """Turn the highest bit, apply a layer's phases of single bits, and give the state the factor that it lacks."""
    high, lanes = space.high, space.lanes
    base = scale * take_phases(program, layer, space)
    fill_factors(base, space.ratios, high[0], high[1], lanes[0], lanes[1])
    turn_and_phase(re, im, tangent, high[0], high[1], lanes[0], lanes[1])


@njit(forceinline=True)
def multiply_parities(program, layer, re, im, space, direction):
    """Apply a layer's phases on several bits, or with direction -1 their inverse."""
    for index in range(program.parity_starts[layer], program.parity_starts[layer + 1]):
        slot = program.parity_slots[index]
        cosine, sine = np.float32(space.cosines[slot]), np.float32(direction * space.sines[slot])
        apply_parity(re, im, program.parity_masks[index], cosine, sine, space.lanes[0], space.lanes[1])


@njit
def evolve(program: Program, row: np.ndarray, space: Space):
    """Run a circuit.

    Returns:
        Bits that read inverted, the planes of the state, and the factor that the state still lacks.
    """
    flips = reduce_angles(program, row, space.halves, space.odd, space.signs)
    sines_and_cosines(space.halves, space.signs, space.sines, space.cosines)
    planes, lanes, scale = space.planes, space.lanes, 1.0
    re, im, other_re, other_im = planes[0], planes[1], planes[2], planes[3]
    start(program, space, True)
    for layer in range(len(program.maps)):
        if layer > 0:
            scale *= take_tangents(program, layer, space)
            move_and_turn(program, program.maps[layer], space.tangents, re, other_re, lanes[2])
            move_and_turn(program, program.maps[layer], space.tangents, im, other_im, lanes[2])
            re, im, other_re, other_im = other_re, other_im, re, im
            if program.phased[layer]:
                highest = space.tangents[program.n_bits - 1] if program.n_bits > 6 else np.float32(0.0)
                phase(program, layer, highest, scale, re, im, space)
                scale = 1.0
            else:
                turn_highest(program, space, re, im)
        multiply_parities(program, layer, re, im, space, 1.0)
    return flips, re, im, scale
