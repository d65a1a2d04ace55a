"""Passes that turn several bits of a state at once.

A state is two float32 arrays, its real and its imaginary plane; an RY acts on each by itself. Turns are divided by
the cosine of half their angle, so that with the tangent t a pair (a, b) becomes (a - t b, b + t a); what they leave
out multiplies the next phases. `k` is the lowest bit of a pass, counted from the first bit above those of a vector.
"""

import numpy as np

from qtrl.quantum.engines.cpu.compiling import inner, vectorized
from qtrl.quantum.engines.cpu.lanes import (
    LANES,
    exchange_1,
    exchange_2,
    exchange_4,
    load,
    minus_product,
    plus_product,
    splat,
    store,
)


@vectorized
def turned(a, b, t):
    """Turn one pair."""
    return minus_product(a, t, b), plus_product(b, t, a)


@vectorized
def turned_lanes(a, t1, t2, t4):
    """Turn the three bits within a vector; the tangents have the sign of each lane."""
    a = plus_product(a, t1, exchange_1(a))
    a = plus_product(a, t2, exchange_2(a))
    return plus_product(a, t4, exchange_4(a))


@vectorized
def read(plane, source, index):
    """Read eight amplitudes, unmoved."""
    return load(plane, index)


@inner
def signed_lanes(t: float, mask: int, lanes: np.ndarray) -> None:
    """Write -t where a lane's index does not have the bits of `mask`, t where it has."""
    for lane in range(LANES):
        lanes[lane] = t if lane & mask else -t


@vectorized
def turned_three(a0, a1, a2, a3, a4, a5, a6, a7, t0, t1, t2):
    """Turn three bits of eight vectors, whose numbers are settings of these bits."""
    a0, a1 = turned(a0, a1, t0)
    a2, a3 = turned(a2, a3, t0)
    a4, a5 = turned(a4, a5, t0)
    a6, a7 = turned(a6, a7, t0)
    a0, a2 = turned(a0, a2, t1)
    a1, a3 = turned(a1, a3, t1)
    a4, a6 = turned(a4, a6, t1)
    a5, a7 = turned(a5, a7, t1)
    a0, a4 = turned(a0, a4, t2)
    a1, a5 = turned(a1, a5, t2)
    a2, a6 = turned(a2, a6, t2)
    a3, a7 = turned(a3, a7, t2)
    return a0, a1, a2, a3, a4, a5, a6, a7


@inner
def turn_lowest(moved, before, after, source, t, lanes):
    """Read a plane by `moved` (`read`, `gather` or `load_permuted`), turn its six lowest bits, write another plane."""
    t0, t1, t2 = splat(t[3]), splat(t[4]), splat(t[5])
    signed_lanes(t[0], 1, lanes)
    l1 = load(lanes, 0)
    signed_lanes(t[1], 2, lanes)
    l2 = load(lanes, 0)
    signed_lanes(t[2], 4, lanes)
    l4 = load(lanes, 0)
    for i in range(0, len(before), 8 * LANES):
        a0, a1 = moved(before, source, i), moved(before, source, i + 8)
        a2, a3 = moved(before, source, i + 16), moved(before, source, i + 24)
        a4, a5 = moved(before, source, i + 32), moved(before, source, i + 40)
        a6, a7 = moved(before, source, i + 48), moved(before, source, i + 56)
        a0, a1, a2, a3, a4, a5, a6, a7 = turned_three(a0, a1, a2, a3, a4, a5, a6, a7, t0, t1, t2)
        store(after, i, turned_lanes(a0, l1, l2, l4))
        store(after, i + 8, turned_lanes(a1, l1, l2, l4))
        store(after, i + 16, turned_lanes(a2, l1, l2, l4))
        store(after, i + 24, turned_lanes(a3, l1, l2, l4))
        store(after, i + 32, turned_lanes(a4, l1, l2, l4))
        store(after, i + 40, turned_lanes(a5, l1, l2, l4))
        store(after, i + 48, turned_lanes(a6, l1, l2, l4))
        store(after, i + 56, turned_lanes(a7, l1, l2, l4))


@inner
def turn_three(plane, k, ta, tb, tc):
    """Turn the bits k, k + 1 and k + 2."""
    t0, t1, t2 = splat(ta), splat(tb), splat(tc)
    s = LANES << k
    for start in range(0, len(plane), 8 * s):
        for i in range(start, start + s, LANES):
            a0, a1, a2, a3 = load(plane, i), load(plane, i + s), load(plane, i + 2 * s), load(plane, i + 3 * s)
            j = i + 4 * s
            a4, a5, a6, a7 = load(plane, j), load(plane, j + s), load(plane, j + 2 * s), load(plane, j + 3 * s)
            a0, a1, a2, a3, a4, a5, a6, a7 = turned_three(a0, a1, a2, a3, a4, a5, a6, a7, t0, t1, t2)
            store(plane, i, a0)
            store(plane, i + s, a1)
            store(plane, i + 2 * s, a2)
            store(plane, i + 3 * s, a3)
            store(plane, j, a4)
            store(plane, j + s, a5)
            store(plane, j + 2 * s, a6)
            store(plane, j + 3 * s, a7)


@inner
def turn_one(plane, k, t):
    """Turn the bit k."""
    t0 = splat(t)
    s = LANES << k
    for start in range(0, len(plane), 2 * s):
        for i in range(start, start + s, LANES):
            a, b = turned(load(plane, i), load(plane, i + s), t0)
            store(plane, i, a)
            store(plane, i + s, b)
