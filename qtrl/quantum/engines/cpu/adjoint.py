"""The gradient of a function of one sample's probabilities, by running the circuit backwards.

With the weights g of the probabilities, lambda = g psi is taken back step by step, and the state psi as it was after
each layer's turns is kept. A step exp(-i angle/2 P) gets the derivative Im <lambda|P|psi>, with P the parity's Z for
phases and Y for turns (the adjoint method, arXiv:2009.02823). The steps of one part of a layer commute, so all of them
get theirs at the same place.
"""

import numpy as np

from qtrl.quantum.engines.cpu.compiling import inlined, inner
from qtrl.quantum.engines.cpu.derivatives import add_turns, bit_sums, parity_sum
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
    gather,
    load,
    load_permuted,
    multiply,
    splat,
    store,
    subtract,
)
from qtrl.quantum.engines.cpu.products import fill_factors, times
from qtrl.quantum.engines.cpu.program import NONE, VECTORS, Program
from qtrl.quantum.engines.cpu.sweeps import read


@inner
def weights_of_bits(values: np.ndarray, flips: int, weights: np.ndarray) -> None:
    """Write for each basis state the sum of the values of the qubits that read 1."""
    n_qubits = len(values)
    for index in range(len(weights)):
        weights[index] = 0.0
    for bit in range(n_qubits):
        value = values[n_qubits - 1 - bit]
        when_clear, when_set = (value, np.float32(0.0)) if flips >> bit & 1 else (np.float32(0.0), value)
        for i in range(1 << bit):
            weight = weights[i]
            weights[i + (1 << bit)] = weight + when_set
            weights[i] = weight + when_clear


@inner
def weights_of_states(values: np.ndarray, flips: int, weights: np.ndarray) -> None:
    """Write for each basis state the value of the outcome that it belongs to."""
    for index in range(len(values), len(weights)):
        weights[index] = 0.0
    for index in range(len(values)):
        weights[index] = values[index ^ flips]


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
def weigh(weights, factor, before, after):
    """Multiply a plane with weights and a factor."""
    factors = splat(factor)
    for i in range(0, len(before), LANES):
        store(after, i, multiply(multiply(load(weights, i), factors), load(before, i)))


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
