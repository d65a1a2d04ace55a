"""The gradient of a function of one sample's probabilities, by running the circuit backwards.

With the weights g of the probabilities, lambda = g psi is taken back step by step, and the state psi as it was after
each layer's turns is kept. A step exp(-i angle/2 P) gets the derivative Im <lambda|P|psi>, with P the parity's Z for
phases and Y for turns (the adjoint method, arXiv:2009.02823). The steps of one part of a layer commute, so all of them
get theirs at the same place.
"""

import numpy as np

from qtrl.quantum.engines.cpu.compiling import inlined, inner
from qtrl.quantum.engines.cpu.forward import (
    Space,
    evolve,
    move_and_turn,
    multiply_parities,
    take_phases,
    take_tangents,
    turn_highest,
)
from qtrl.quantum.engines.cpu.lanes import (
    LANES,
    MOVES_LANES,
    add,
    exchange_1,
    exchange_2,
    exchange_4,
    gather,
    load,
    load_permuted,
    multiply,
    plus_product,
    splat,
    store,
    subtract,
    total,
)
from qtrl.quantum.engines.cpu.outcomes import bit_sums, parity_sum, weigh, weights_of_bits, weights_of_states
from qtrl.quantum.engines.cpu.program import NONE, VECTORS, Program
from qtrl.quantum.engines.cpu.sweeps import fill_factors, read, signed_lanes, times


@inner
def lane_turns(psi, lam, lanes):
    """Return the derivatives, on a plane, of the turns of the three bits within a vector.

    Here and below there are two sums for each bit, so that an addition need not wait for the one before.
    """
    zero = splat(np.float32(0.0))
    x1, x2, x4, y1, y2, y4 = zero, zero, zero, zero, zero, zero
    for i in range(0, len(psi), 2 * LANES):
        a, b = load(psi, i), load(lam, i)
        x1 = plus_product(x1, b, exchange_1(a))
        x2 = plus_product(x2, b, exchange_2(a))
        x4 = plus_product(x4, b, exchange_4(a))
        a, b = load(psi, i + LANES), load(lam, i + LANES)
        y1 = plus_product(y1, b, exchange_1(a))
        y2 = plus_product(y2, b, exchange_2(a))
        y4 = plus_product(y4, b, exchange_4(a))
    signed_lanes(np.float32(1.0), 1, lanes)
    sum_1 = total(multiply(add(x1, y1), load(lanes, 0)))
    signed_lanes(np.float32(1.0), 2, lanes)
    sum_2 = total(multiply(add(x2, y2), load(lanes, 0)))
    signed_lanes(np.float32(1.0), 4, lanes)
    return sum_1, sum_2, total(multiply(add(x4, y4), load(lanes, 0)))


@inner
def three_turns(psi, lam, k):
    """Return the derivatives, on a plane, of the turns of the bits k, k + 1 and k + 2."""
    zero, s = splat(np.float32(0.0)), LANES << k
    x0, x1, x2, y0, y1, y2 = zero, zero, zero, zero, zero, zero
    for first in range(0, len(psi), 8 * s):
        for i in range(first, first + s, LANES):
            for half in range(2):
                j = i + half * 4 * s
                a0, a1, a2, a3 = load(psi, j), load(psi, j + s), load(psi, j + 2 * s), load(psi, j + 3 * s)
                b0, b1, b2, b3 = load(lam, j), load(lam, j + s), load(lam, j + 2 * s), load(lam, j + 3 * s)
                x0, y0 = plus_product(x0, b1, a0), plus_product(y0, b0, a1)
                x1, y1 = plus_product(x1, b2, a0), plus_product(y1, b0, a2)
                x0, y0 = plus_product(x0, b3, a2), plus_product(y0, b2, a3)
                x1, y1 = plus_product(x1, b3, a1), plus_product(y1, b1, a3)
            for pair in range(4):
                j = i + pair * s
                x2 = plus_product(x2, load(lam, j + 4 * s), load(psi, j))
                y2 = plus_product(y2, load(lam, j), load(psi, j + 4 * s))
    return total(subtract(x0, y0)), total(subtract(x1, y1)), total(subtract(x2, y2))


@inner
def one_turn(psi, lam, k):
    """Return the derivative, on a plane, of the turn of the bit k."""
    zero, s = splat(np.float32(0.0)), LANES << k
    x, y = zero, zero
    for first in range(0, len(psi), 2 * s):
        for i in range(first, first + s, LANES):
            x = plus_product(x, load(lam, i + s), load(psi, i))
            y = plus_product(y, load(lam, i), load(psi, i + s))
    return total(subtract(x, y))


@inner
def add_turns(psi, lam, sums, lanes):
    """Add the derivatives, on a plane, of the turns of all bits."""
    lowest, bit = lane_turns(psi, lam, lanes), 3
    for i in range(3):
        sums[i] += lowest[i]
    while bit + 3 <= len(sums):
        first, second, third = three_turns(psi, lam, bit - 3)
        sums[bit] += first
        sums[bit + 1] += second
        sums[bit + 2] += third
        bit += 3
    while bit < len(sums):
        sums[bit] += one_turn(psi, lam, bit - 3)
        bit += 1


@inner
def take_back(moved, source, before, after, high, lanes, psi, products):
    """Undo a map, then multiply with factors; write Im(conj(lambda) psi) for each basis state as well."""
    before_re, before_im, after_re, after_im, psi_re, psi_im = before[0], before[1], after[0], after[1], psi[0], psi[1]
    high_re, high_im, l_re, l_im = high[0], high[1], load(lanes[0], 0), load(lanes[1], 0)
    for v in range(len(after_re) // LANES):
        i = v * LANES
        p_re, p_im = times(splat(high_re[v]), splat(high_im[v]), l_re, l_im)
        x, y = times(moved(before_re, source, i), moved(before_im, source, i), p_re, p_im)
        store(after_re, i, x)
        store(after_im, i, y)
        store(products, i, subtract(multiply(x, load(psi_im, i)), multiply(y, load(psi_re, i))))


@inner
def write_products(psi_re, psi_im, lam_re, lam_im, products):
    """Write Im(conj(lambda) psi) for each basis state."""
    for i in range(0, len(products), LANES):
        crossed = multiply(load(lam_im, i), load(psi_re, i))
        store(products, i, subtract(multiply(load(lam_re, i), load(psi_im, i)), crossed))


@inlined
def undo_map_and_phases(program, layer, lam, other, scale, space, psi):
    """Take lambda from behind the next layer's map to before this layer's phases, and give it the factor it lacks."""
    chosen = program.maps[layer + 1] if layer + 1 < len(program.maps) else -1
    kind = program.kinds[chosen] if chosen >= 0 else NONE
    target = program.targets[chosen] if chosen >= 0 else program.maps
    base = scale * take_phases(program, layer, space).conjugate()
    for bit in range(program.n_bits):
        space.ratios[bit] = space.ratios[bit].conjugate()
    high, lanes, products = space.high, space.lanes, space.states[4, 0]
    fill_factors(base, space.ratios, high, lanes)
    if kind == NONE:
        take_back(read, target, lam, other, high, lanes, psi, products)
    elif MOVES_LANES and kind == VECTORS:
        take_back(load_permuted, target, lam, other, high, lanes, psi, products)
    else:
        take_back(gather, target, lam, other, high, lanes, psi, products)
    if program.parity_starts[layer + 1] > program.parity_starts[layer]:
        multiply_parities(program, layer, other, space, -1.0)
        write_products(psi[0], psi[1], other[0], other[1], products)


@inlined
def book(program: Program, space: Space, slot: int, derivative: float, gradient: np.ndarray) -> None:
    """Add a slot's derivative to the angles that it is made of."""
    for term in range(program.starts[slot], program.starts[slot + 1]):
        gradient[program.places[term]] += program.factors[term] * space.signs[slot] * derivative


@inlined
def book_phases(program, layer, space, scale, gradient):
    """Book the derivatives of a layer's phases; the products are lost."""
    products, sums = space.states[4, 0], space.sums
    for index in range(program.parity_starts[layer], program.parity_starts[layer + 1]):
        derivative = scale * parity_sum(products, program.parity_masks[index])
        book(program, space, program.parity_slots[index], derivative, gradient)
    if program.phased[layer]:
        bit_sums(products, sums)
        for bit in range(program.n_bits):
            if program.phases[layer, bit] >= 0:
                book(program, space, program.phases[layer, bit], scale * sums[bit], gradient)


@inlined
def book_turns(program, layer, lam, psi, space, scale, gradient):
    """Book the derivatives of a layer's turns."""
    for bit in range(program.n_bits):
        space.sums[bit] = 0.0
    for plane in range(2):
        add_turns(psi[plane], lam[plane], space.sums, space.lanes[2])
    for bit in range(program.n_bits):
        if program.turns[layer, bit] >= 0:
            book(program, space, program.turns[layer, bit], scale * space.sums[bit], gradient)


@inner
def gradient_of_sample(program, row, space, kept, scales, of_bits, values, gradient):
    """Add the gradient of the sum of `values` times expectations, or times probabilities, to `gradient` (places)."""
    flips, now, scale = evolve(program, row, space, kept, scales)
    state = space.states[now]
    lam, other, weights = space.states[2], space.states[3], space.states[4, 0]
    if of_bits:
        weights_of_bits(values, flips, weights)
    else:
        weights_of_states(values, flips, weights)
    for plane in range(2):
        weigh(weights, np.float32(scale), state[plane], lam[plane])
    scale = 1.0
    for layer in range(len(program.maps) - 1, -1, -1):
        undo_map_and_phases(program, layer, lam, other, scale, space, kept[layer])
        book_phases(program, layer, space, scales[layer], gradient)
        book_turns(program, layer, other, kept[layer], space, scales[layer], gradient)
        scale = take_tangents(program, layer, space)
        for bit in range(program.n_bits):
            space.tangents[bit] = -space.tangents[bit]
        move_and_turn(program, -1, space.tangents, other, lam, space.lanes[2])
        turn_highest(program, space, lam)
