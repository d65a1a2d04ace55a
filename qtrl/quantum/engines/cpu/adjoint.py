"""The gradient of a function of one sample's probabilities, by running the circuit backwards.

With the weights g of the probabilities, lambda = g psi is taken back step by step, and the state psi as it was after
each layer's turns is kept. A step exp(-i angle/2 P) gets the derivative Im <lambda|P|psi>, with P the parity's Z for
phases and Y for turns (the adjoint method, arXiv:2009.02823). The steps of one part of a layer commute, so all of them
get theirs at the same place.
"""

import numpy as np
from numba import njit

from qtrl.quantum.engines.cpu.angles import reduce_angles, sines_and_cosines
from qtrl.quantum.engines.cpu.derivatives import add_turns, bit_sums, parity_sum
from qtrl.quantum.engines.cpu.forward import (
    Space,
    move_and_turn,
    multiply_parities,
    phase,
    start,
    take_phases,
    take_tangents,
    turn_highest,
)
from qtrl.quantum.engines.cpu.lanes import (
    LANES,
    MOVES_LANES,
    gather,
    load,
    load_permuted,
    multiply,
    splat,
    store,
    subtract,
)
from qtrl.quantum.engines.cpu.products import fill_factors, times
from qtrl.quantum.engines.cpu.program import VECTORS, Program
from qtrl.quantum.engines.cpu.sweeps import read


@njit
def weights_of_bits(values: np.ndarray, flips: int, weights: np.ndarray) -> None:
    """Write for each basis state the sum of the values of the qubits that read 1."""
    n_qubits = len(values)
    weights[:] = 0.0
    for bit in range(n_qubits):
        value = values[n_qubits - 1 - bit]
        when_clear, when_set = (value, np.float32(0.0)) if flips >> bit & 1 else (np.float32(0.0), value)
        for i in range(1 << bit):
            weight = weights[i]
            weights[i + (1 << bit)] = weight + when_set
            weights[i] = weight + when_clear


@njit
def weights_of_states(values: np.ndarray, flips: int, weights: np.ndarray) -> None:
    """Write for each basis state the value of the outcome that it belongs to."""
    weights[:] = 0.0
    for index in range(len(values)):
        weights[index] = values[index ^ flips]


@njit
def copy(before, after):
    """Copy a plane."""
    for i in range(0, len(before), LANES):
        store(after, i, load(before, i))


@njit
def evolve_and_keep(program, row, space, kept, scales):
    """Run a circuit as `evolve` does, and keep the planes after each layer's turns with the factor that they lack."""
    flips = reduce_angles(program, row, space.halves, space.odd, space.signs)
    sines_and_cosines(space.halves, space.signs, space.sines, space.cosines)
    planes, lanes, scale = space.planes, space.lanes, 1.0
    re, im, other_re, other_im = planes[0], planes[1], planes[2], planes[3]
    start(program, space, False)
    for layer in range(len(program.maps)):
        if layer > 0:
            scale *= take_tangents(program, layer, space)
            move_and_turn(program, program.maps[layer], space.tangents, re, other_re, lanes[2])
            move_and_turn(program, program.maps[layer], space.tangents, im, other_im, lanes[2])
            re, im, other_re, other_im = other_re, other_im, re, im
            turn_highest(program, space, re, im)
        copy(re, kept[layer, 0])
        copy(im, kept[layer, 1])
        scales[layer] = scale
        if program.phased[layer]:
            phase(program, layer, np.float32(0.0), scale, re, im, space)
            scale = 1.0
        multiply_parities(program, layer, re, im, space, 1.0)
    return flips, re, im, scale


@njit
def take_back(moved, source, before_re, before_im, after_re, after_im, factors, lanes, psi_re, psi_im, products):
    """Undo a map, then multiply with factors; write Im(conj(lambda) psi) for each basis state as well."""
    l_re, l_im = load(lanes[0], 0), load(lanes[1], 0)
    for v in range(len(after_re) // LANES):
        i = v * LANES
        p_re, p_im = times(splat(factors[0, v]), splat(factors[1, v]), l_re, l_im)
        x, y = times(moved(before_re, source, i), moved(before_im, source, i), p_re, p_im)
        store(after_re, i, x)
        store(after_im, i, y)
        store(products, i, subtract(multiply(x, load(psi_im, i)), multiply(y, load(psi_re, i))))


@njit
def write_products(psi_re, psi_im, lam_re, lam_im, products):
    """Write Im(conj(lambda) psi) for each basis state."""
    for i in range(0, len(products), LANES):
        crossed = multiply(load(lam_im, i), load(psi_re, i))
        store(products, i, subtract(multiply(load(lam_re, i), load(psi_im, i)), crossed))


@njit(forceinline=True)
def undo_map_and_phases(program, layer, lam, other, scale, space, psi):
    """Take lambda from behind the next layer's map to before this layer's phases, and give it the factor it lacks."""
    chosen = program.maps[layer + 1] if layer + 1 < len(program.maps) else -1
    base = scale * take_phases(program, layer, space).conjugate()
    for bit in range(program.n_bits):
        space.ratios[bit] = space.ratios[bit].conjugate()
    high, lanes, products = space.high, space.lanes, space.planes[8]
    fill_factors(base, space.ratios, high[0], high[1], lanes[0], lanes[1])
    if chosen < 0:
        take_back(read, program.maps, lam[0], lam[1], other[0], other[1], high, lanes, psi[0], psi[1], products)
    elif MOVES_LANES and program.kinds[chosen] == VECTORS:
        table = program.targets[chosen]
        take_back(load_permuted, table, lam[0], lam[1], other[0], other[1], high, lanes, psi[0], psi[1], products)
    else:
        table = program.targets[chosen]
        take_back(gather, table, lam[0], lam[1], other[0], other[1], high, lanes, psi[0], psi[1], products)
    if program.parity_starts[layer + 1] > program.parity_starts[layer]:
        multiply_parities(program, layer, other[0], other[1], space, -1.0)
        write_products(psi[0], psi[1], other[0], other[1], products)


@njit(forceinline=True)
def book(program: Program, space: Space, slot: int, derivative: float, gradient: np.ndarray) -> None:
    """Add a slot's derivative to the angles that it is made of."""
    for term in range(program.starts[slot], program.starts[slot + 1]):
        gradient[program.places[term]] += program.factors[term] * space.signs[slot] * derivative


@njit(forceinline=True)
def book_phases(program, layer, space, scale, gradient):
    """Book the derivatives of a layer's phases; the products are lost."""
    products, sums = space.planes[8], space.sums
    for index in range(program.parity_starts[layer], program.parity_starts[layer + 1]):
        derivative = scale * parity_sum(products, program.parity_masks[index])
        book(program, space, program.parity_slots[index], derivative, gradient)
    if program.phased[layer]:
        bit_sums(products, sums)
        for bit in range(program.n_bits):
            if program.phases[layer, bit] >= 0:
                book(program, space, program.phases[layer, bit], scale * sums[bit], gradient)


@njit(forceinline=True)
def book_turns(program, layer, lam, psi, space, scale, gradient):
    """Book the derivatives of a layer's turns."""
    space.sums[:] = 0.0
    add_turns(psi[0], lam[0], space.sums, space.lanes[2])
    add_turns(psi[1], lam[1], space.sums, space.lanes[2])
    for bit in range(program.n_bits):
        if program.turns[layer, bit] >= 0:
            book(program, space, program.turns[layer, bit], scale * space.sums[bit], gradient)


@njit
def weigh(weights, factor, before, after):
    """Multiply a plane with weights and a factor."""
    for i in range(0, len(before), LANES):
        store(after, i, multiply(multiply(load(weights, i), factor), load(before, i)))


@njit
def gradient_of_sample(program, row, space, kept, scales, of_bits, values, gradient):
    """Add the gradient of the sum of `values` times expectations, or times probabilities, to `gradient` (places)."""
    flips, re, im, scale = evolve_and_keep(program, row, space, kept, scales)
    planes, weights = space.planes, space.planes[8]
    if of_bits:
        weights_of_bits(values, flips, weights)
    else:
        weights_of_states(values, flips, weights)
    lam, other = (planes[4], planes[5]), (planes[6], planes[7])
    weigh(weights, splat(np.float32(scale)), re, lam[0])
    weigh(weights, splat(np.float32(scale)), im, lam[1])
    scale = 1.0
    for layer in range(len(program.maps) - 1, -1, -1):
        undo_map_and_phases(program, layer, lam, other, scale, space, kept[layer])
        book_phases(program, layer, space, scales[layer], gradient)
        book_turns(program, layer, other, kept[layer], space, scales[layer], gradient)
        scale = take_tangents(program, layer, space)
        space.tangents[:] *= np.float32(-1.0)
        move_and_turn(program, -1, space.tangents, other[0], lam[0], space.lanes[2])
        move_and_turn(program, -1, space.tangents, other[1], lam[1], space.lanes[2])
        turn_highest(program, space, lam[0], lam[1])
