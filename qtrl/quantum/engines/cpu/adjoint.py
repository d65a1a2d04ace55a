"""The gradient of a function of one sample's probabilities, by running the circuit backwards.

With the weights g of the probabilities, the state psi and lambda = g psi are taken back step by step. A step
exp(-i angle/2 P) gets the derivative Im <lambda|P|psi>, with P the parity's Z for phases and Y for turns; steps of one
part of a layer commute, so it does not matter which of them are undone already (arXiv:2009.02823).
"""

import numpy as np
from numba import njit

from qtrl.quantum.engines.cpu.angles import parity
from qtrl.quantum.engines.cpu.forward import Space, evolve, multiply_parities, take_phases, take_tangents
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
    minus_product,
    multiply,
    plus_product,
    splat,
    store,
    subtract,
    total,
)
from qtrl.quantum.engines.cpu.products import fill_factors, times
from qtrl.quantum.engines.cpu.program import VECTORS, Program
from qtrl.quantum.engines.cpu.sweeps import signed_lanes, turned, turned_lanes


@njit
def weights_of_bits(values: np.ndarray, flips: int, weights: np.ndarray) -> None:
    """Write for each basis state the sum of the values of the qubits that read 1."""
    n_qubits = len(values)
    weights[:] = 0.0
    for bit in range(n_qubits):
        value = values[n_qubits - 1 - bit]
        inverted = flips >> bit & 1
        for i in range(1 << bit):
            weights[i + (1 << bit)] = weights[i] if inverted else weights[i] + value
            if inverted:
                weights[i] += value


@njit
def weights_of_states(values: np.ndarray, flips: int, weights: np.ndarray) -> None:
    """Write for each basis state the value of the outcome that it belongs to."""
    weights[:] = 0.0
    for index in range(len(values)):
        weights[index] = values[index ^ flips]


@njit
def write_products(psi_re, psi_im, lam_re, lam_im, out):
    """Write Im(conj(lambda) psi) for each basis state."""
    for i in range(0, len(out), LANES):
        crossed = multiply(load(lam_im, i), load(psi_re, i))
        store(out, i, subtract(multiply(load(lam_re, i), load(psi_im, i)), crossed))


@njit
def parity_sum(values: np.ndarray, mask: int) -> float:
    """Sum with the sign of a parity."""
    result = 0.0
    for index in range(len(values)):
        result += -values[index] if parity(index & mask) else values[index]
    return result


@njit
def bit_sums(values: np.ndarray, sums: np.ndarray) -> None:
    """Sum with the sign of each bit; the values are lost."""
    for bit in range(len(sums) - 1, 2, -1):
        half = 1 << bit
        difference = splat(np.float32(0.0))
        for i in range(0, half, LANES):
            low, high = load(values, i), load(values, i + half)
            difference = add(difference, subtract(low, high))
            store(values, i, add(low, high))
        sums[bit] = total(difference)
    for bit in range(3):
        sums[bit] = 0.0
        for lane in range(LANES):
            sums[bit] += -values[lane] if lane >> bit & 1 else values[lane]


@njit
def multiply_both(psi_re, psi_im, lam_re, lam_im, high, lanes):
    """Multiply both states with the product state of the factors."""
    l_re, l_im = load(lanes[0], 0), load(lanes[1], 0)
    for v in range(len(psi_re) // LANES):
        i = v * LANES
        p_re, p_im = times(splat(high[0, v]), splat(high[1, v]), l_re, l_im)
        x, y = times(load(psi_re, i), load(psi_im, i), p_re, p_im)
        store(psi_re, i, x)
        store(psi_im, i, y)
        x, y = times(load(lam_re, i), load(lam_im, i), p_re, p_im)
        store(lam_re, i, x)
        store(lam_im, i, y)


@njit(forceinline=True)
def crossed(dot, psi_0, psi_1, lam_0, lam_1):
    """Add the derivative of one pair's turn."""
    return minus_product(plus_product(dot, lam_1, psi_0), lam_0, psi_1)


@njit
def unturn_two(psi, lam, k, t0, t1):
    """Return the derivatives of the turns of the bits k and k + 1 on a plane, and undo them."""
    zero = splat(np.float32(0.0))
    dot_0, dot_1, u0, u1, s = zero, zero, splat(-t0), splat(-t1), LANES << k
    for first in range(0, len(psi), 4 * s):
        for i in range(first, first + s, LANES):
            a0, a1, a2, a3 = load(psi, i), load(psi, i + s), load(psi, i + 2 * s), load(psi, i + 3 * s)
            b0, b1, b2, b3 = load(lam, i), load(lam, i + s), load(lam, i + 2 * s), load(lam, i + 3 * s)
            dot_0 = crossed(crossed(dot_0, a0, a1, b0, b1), a2, a3, b2, b3)
            dot_1 = crossed(crossed(dot_1, a0, a2, b0, b2), a1, a3, b1, b3)
            a0, a1 = turned(a0, a1, u0)
            a2, a3 = turned(a2, a3, u0)
            a0, a2 = turned(a0, a2, u1)
            a1, a3 = turned(a1, a3, u1)
            store(psi, i, a0)
            store(psi, i + s, a1)
            store(psi, i + 2 * s, a2)
            store(psi, i + 3 * s, a3)
            b0, b1 = turned(b0, b1, u0)
            b2, b3 = turned(b2, b3, u0)
            b0, b2 = turned(b0, b2, u1)
            b1, b3 = turned(b1, b3, u1)
            store(lam, i, b0)
            store(lam, i + s, b1)
            store(lam, i + 2 * s, b2)
            store(lam, i + 3 * s, b3)
    return total(dot_0), total(dot_1)


@njit
def unturn_one(psi, lam, k, t):
    """Return the derivative of the turn of the bit k on a plane, and undo it."""
    dot, u, s = splat(np.float32(0.0)), splat(-t), LANES << k
    for first in range(0, len(psi), 2 * s):
        for i in range(first, first + s, LANES):
            a0, a1, b0, b1 = load(psi, i), load(psi, i + s), load(lam, i), load(lam, i + s)
            dot = crossed(dot, a0, a1, b0, b1)
            a0, a1 = turned(a0, a1, u)
            b0, b1 = turned(b0, b1, u)
            store(psi, i, a0)
            store(psi, i + s, a1)
            store(lam, i, b0)
            store(lam, i + s, b1)
    return total(dot)


@njit
def unturn_lanes(psi, lam, t, lanes):
    """Return the derivatives of the turns of the three bits within a vector on a plane, and undo them."""
    dot_1, dot_2, dot_4 = splat(np.float32(0.0)), splat(np.float32(0.0)), splat(np.float32(0.0))
    signed_lanes(-t[0], 1, lanes)
    u1 = load(lanes, 0)
    signed_lanes(-t[1], 2, lanes)
    u2 = load(lanes, 0)
    signed_lanes(-t[2], 4, lanes)
    u4 = load(lanes, 0)
    for i in range(0, len(psi), LANES):
        a, b = load(psi, i), load(lam, i)
        dot_1 = plus_product(dot_1, b, exchange_1(a))
        dot_2 = plus_product(dot_2, b, exchange_2(a))
        dot_4 = plus_product(dot_4, b, exchange_4(a))
        store(psi, i, turned_lanes(a, u1, u2, u4))
        store(lam, i, turned_lanes(b, u1, u2, u4))
    signed_lanes(np.float32(1.0), 1, lanes)
    sum_1 = total(multiply(dot_1, load(lanes, 0)))
    signed_lanes(np.float32(1.0), 2, lanes)
    sum_2 = total(multiply(dot_2, load(lanes, 0)))
    signed_lanes(np.float32(1.0), 4, lanes)
    return sum_1, sum_2, total(multiply(dot_4, load(lanes, 0)))


@njit
def unturn(psi, lam, t, lanes, sums):
    """Undo a layer's turns on a plane of both states, and add their derivatives, each state lacking a factor.

    The factor is the product of the cosines of the turns that are undone already.
    """
    dots = unturn_lanes(psi, lam, t, lanes)
    scale = 1.0
    for bit in range(3):
        sums[bit] += dots[bit]
    for bit in range(3):
        scale /= 1.0 + t[bit] * t[bit]
    bit = 3
    while bit + 1 < len(t):
        first, second = unturn_two(psi, lam, bit - 3, t[bit], t[bit + 1])
        sums[bit] += scale * first
        sums[bit + 1] += scale * second
        scale /= (1.0 + t[bit] * t[bit]) * (1.0 + t[bit + 1] * t[bit + 1])
        bit += 2
    if bit < len(t):
        sums[bit] += scale * unturn_one(psi, lam, bit - 3, t[bit])


@njit
def move(moved, before, after, source):
    """Map a plane into another one."""
    for i in range(0, len(before), LANES):
        store(after, i, moved(before, source, i))


@njit
def move_back(program, chosen, before, after):
    """Undo a map from one plane into another."""
    if MOVES_LANES and program.kinds[chosen] == VECTORS:
        move(load_permuted, before, after, program.targets[chosen])
    else:
        move(gather, before, after, program.targets[chosen])


@njit(forceinline=True)
def book(program: Program, space: Space, slot: int, derivative: float, gradient: np.ndarray) -> None:
    """Add a slot's derivative to the angles that it is made of."""
    for term in range(program.starts[slot], program.starts[slot + 1]):
        gradient[program.places[term]] += program.factors[term] * space.signs[slot] * derivative


@njit(forceinline=True)
def undo_phases(program, layer, states, scale, space, gradient):
    """Book the derivatives of a layer's phases, undo them, and give both states the factor that they lack."""
    psi_re, psi_im, lam_re, lam_im = states
    products, sums = space.planes[8], space.sums
    write_products(psi_re, psi_im, lam_re, lam_im, products)
    for index in range(program.parity_starts[layer], program.parity_starts[layer + 1]):
        derivative = scale * scale * parity_sum(products, program.parity_masks[index])
        book(program, space, program.parity_slots[index], derivative, gradient)
    bit_sums(products, sums)
    for bit in range(program.n_bits):
        slot = program.phases[layer, bit]
        if slot >= 0:
            book(program, space, slot, scale * scale * sums[bit], gradient)
    multiply_parities(program, layer, psi_re, psi_im, space, -1.0)
    multiply_parities(program, layer, lam_re, lam_im, space, -1.0)
    base = scale * take_phases(program, layer, space).conjugate()
    for bit in range(program.n_bits):
        space.ratios[bit] = space.ratios[bit].conjugate()
    fill_factors(base, space.ratios, space.high[0], space.high[1], space.lanes[0], space.lanes[1])
    multiply_both(psi_re, psi_im, lam_re, lam_im, space.high, space.lanes)


@njit(forceinline=True)
def undo_turns(program, layer, states, scale, space, gradient):
    """Book the derivatives of a layer's turns and undo them; return the factor that the states lack then."""
    psi_re, psi_im, lam_re, lam_im = states
    cosines = take_tangents(program, layer, space)
    space.sums[:] = 0.0
    unturn(psi_re, lam_re, space.tangents, space.lanes[2], space.sums)
    unturn(psi_im, lam_im, space.tangents, space.lanes[2], space.sums)
    for bit in range(program.n_bits):
        slot = program.turns[layer, bit]
        if slot >= 0:
            book(program, space, slot, scale * scale * space.sums[bit], gradient)
    return scale * cosines


@njit
def gradient_of_sample(program, row, space, of_bits, values, gradient):
    """Add the gradient of the sum of `values` times expectations, or times probabilities, to `gradient` (places)."""
    flips, re, im, scale = evolve(program, row, space)
    planes, other = space.planes, 2 if len(program.maps) % 2 == 1 else 0
    weights = planes[8]
    if of_bits:
        weights_of_bits(values, flips, weights)
    else:
        weights_of_states(values, flips, weights)
    states = (re, im, planes[4], planes[5])
    others = (planes[other], planes[other + 1], planes[6], planes[7])
    for i in range(0, len(re), LANES):
        weight = load(weights, i)
        store(states[2], i, multiply(weight, load(re, i)))
        store(states[3], i, multiply(weight, load(im, i)))
    for layer in range(len(program.maps) - 1, -1, -1):
        if program.phased[layer] or program.parity_starts[layer + 1] > program.parity_starts[layer]:
            undo_phases(program, layer, states, scale, space, gradient)
            scale = 1.0
        scale = undo_turns(program, layer, states, scale, space, gradient)
        if program.maps[layer] >= 0:
            for plane in range(4):
                move_back(program, program.maps[layer], states[plane], others[plane])
            states, others = others, states
