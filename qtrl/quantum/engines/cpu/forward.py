"""One sample from its angles to its final state."""

from typing import NamedTuple

import numpy as np
from numba import njit

from qtrl.quantum.engines.cpu.angles import reduce_angles, sines_and_cosines
from qtrl.quantum.engines.cpu.compiling import inlined, inner
from qtrl.quantum.engines.cpu.lanes import LANES, MOVES_LANES, gather, load, load_permuted, store
from qtrl.quantum.engines.cpu.program import NONE, VECTORS, Program
from qtrl.quantum.engines.cpu.sweeps import (
    apply_parity,
    fill_factors,
    read,
    turn_and_phase,
    turn_lowest,
    turn_one,
    turn_three,
    write_product,
)


class Space(NamedTuple):
    """Memory of one call.

    `states` (2, 2, N) are the real and imaginary planes of a state, and of another one to map into; (5, 2, N) for a
    gradient, which needs as many for the adjoint state, and scratch.
    """

    states: np.ndarray
    halves: np.ndarray  # (K) half of each slot's reduced angle, without its sign
    odd: np.ndarray  # (K) whether an odd number of half revolutions was taken out of it
    signs: np.ndarray  # (K) sign that it got
    sines: np.ndarray  # (K) sine of each half
    cosines: np.ndarray  # (K) cosine of each half
    tangents: np.ndarray  # (b) tangent for each bit that turns in the present layer, else 0
    ratios: np.ndarray  # (b) complex ratio of each bit's two factors
    sums: np.ndarray  # (b) a number for each bit
    cumulative: np.ndarray  # (N / LANES) for sampling
    high: np.ndarray  # (2, N / LANES) factors of the bits above a vector
    lanes: np.ndarray  # (3, LANES) factors of the bits within a vector, and scratch


@njit
def make_space(program: Program, n_states: int) -> Space:
    """Allocate the memory of one call."""
    n_slots, n_bits, size = len(program.offsets), program.n_bits, 1 << program.n_bits
    return Space(
        np.empty((n_states, 2, size + 32), np.float32)[:, :, :size],  # which begin at different places of a page
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


@inlined
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


@inlined
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


@inlined
def move_and_turn(program, chosen, tangents, before, after, lanes):
    """Map a state into another one, then turn its bits; the highest of more than six is left."""
    kind = program.kinds[chosen] if chosen >= 0 else NONE
    source = program.sources[chosen] if chosen >= 0 else program.maps
    for plane in range(2):
        if kind == NONE:
            turn_lowest(read, before[plane], after[plane], source, tangents, lanes)
        elif MOVES_LANES and kind == VECTORS:
            turn_lowest(load_permuted, before[plane], after[plane], source, tangents, lanes)
        else:
            turn_lowest(gather, before[plane], after[plane], source, tangents, lanes)
        bit = 6
        while bit + 3 < program.n_bits:
            turn_three(after[plane], bit - 3, tangents[bit], tangents[bit + 1], tangents[bit + 2])
            bit += 3
        while bit + 1 < program.n_bits:
            turn_one(after[plane], bit - 3, tangents[bit])
            bit += 1


@inlined
def start(program, space, with_phases):
    """Write the state after the turns, and where asked the phases of single bits, of the first layer."""
    state, base = space.states[0], complex(1.0)
    if with_phases:
        base = take_phases(program, 0, space)
    base *= take_tangents(program, 0, space)
    for bit in range(program.n_bits):
        space.ratios[bit] = space.tangents[bit] * (space.ratios[bit] if with_phases else 1.0)
    fill_factors(base, space.ratios, space.high, space.lanes)
    write_product(state[0], state[1], space.high, space.lanes)


@inlined
def turn_highest(program, space, state):
    """Turn the highest bit of more than six."""
    tangent = space.tangents[program.n_bits - 1]
    if program.n_bits > 6 and tangent != 0:
        for plane in range(2):
            turn_one(state[plane], program.n_bits - 4, tangent)


@inlined
def phase(program, layer, tangent, scale, state, space):
    """Turn the highest bit, apply a layer's phases of single bits, and give the state the factor that it lacks."""
    base = scale * take_phases(program, layer, space)
    fill_factors(base, space.ratios, space.high, space.lanes)
    turn_and_phase(state[0], state[1], tangent, space.high, space.lanes)


@inlined
def multiply_parities(program, layer, state, space, direction):
    """Apply a layer's phases on several bits, or with direction -1 their inverse."""
    for index in range(program.parity_starts[layer], program.parity_starts[layer + 1]):
        slot = program.parity_slots[index]
        cosine, sine = np.float32(space.cosines[slot]), np.float32(direction * space.sines[slot])
        apply_parity(state[0], state[1], program.parity_masks[index], cosine, sine, space.lanes[0], space.lanes[1])


@inner
def copy(before, after):
    """Copy a plane."""
    for i in range(0, len(before), LANES):
        store(after, i, load(before, i))


@inner
def evolve(program, row, space, kept, scales):
    """Run a circuit on the angles of a row (places).

    Where `kept` (L, 2, N) and `scales` (L) have room, the state between the turns and the phases of each layer and the
    factor that it lacks are kept. Return the bits that read inverted, which of the states of `space` is the last, and
    the factor that it still lacks.
    """
    flips = reduce_angles(program, row, space.halves, space.odd, space.signs)
    sines_and_cosines(space.halves, space.signs, space.sines, space.cosines)
    state, other, now, scale, keep = space.states[0], space.states[1], 0, 1.0, len(kept) > 0
    for layer in range(len(program.maps)):
        if layer == 0:
            start(program, space, not keep)
        else:
            scale *= take_tangents(program, layer, space)
            move_and_turn(program, program.maps[layer], space.tangents, state, other, space.lanes[2])
            now, state, other = 1 - now, other, state
            if keep or not program.phased[layer]:
                turn_highest(program, space, state)
        if keep:
            for plane in range(2):
                copy(state[plane], kept[layer, plane])
            scales[layer] = scale
        if program.phased[layer] and (keep or layer > 0):
            turned = keep or program.n_bits <= 6
            highest = np.float32(0.0) if turned else space.tangents[program.n_bits - 1]
            phase(program, layer, highest, scale, state, space)
            scale = 1.0
        multiply_parities(program, layer, state, space, 1.0)
    return flips, now, scale
