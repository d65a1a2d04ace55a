"""The sums over a state psi and its adjoint lambda that derivatives consist of."""

import numpy as np

from qtrl.quantum.engines.cpu.angles import parity
from qtrl.quantum.engines.cpu.compiling import inner
from qtrl.quantum.engines.cpu.lanes import (
    LANES,
    add,
    exchange_1,
    exchange_2,
    exchange_4,
    load,
    multiply,
    plus_product,
    splat,
    subtract,
    total,
)
from qtrl.quantum.engines.cpu.outcomes import sums_where_set
from qtrl.quantum.engines.cpu.sweeps import signed_lanes


@inner
def parity_sum(values: np.ndarray, mask: int) -> float:
    """Sum with the sign of a parity."""
    result = 0.0
    for index in range(len(values)):
        result += -values[index] if parity(index & mask) else values[index]
    return result


@inner
def bit_sums(values: np.ndarray, sums: np.ndarray) -> None:
    """Sum with the sign of each bit; the values are lost."""
    sums_where_set(values, sums)
    whole = total(load(values, 0))
    for bit in range(len(sums)):
        sums[bit] = whole - 2.0 * sums[bit]


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
