"""Passes over a state, which turn several bits at once or multiply with a product state.

A state is two float32 arrays, its real and its imaginary plane; an RY acts on each by itself. Turns are divided by
the cosine of half their angle, so that with the tangent t a pair (a, b) becomes (a - t b, b + t a); what they leave
out multiplies the next phases. `k` is the lowest bit of a pass, counted from the first bit above those of a vector.

Product states, which a circuit begins with and a column of phases multiplies with, are kept as *factors*: one complex
number for each setting of the bits within a vector, one for each of those above. An amplitude is the product of two, so
that its 2**b amplitudes never have to lie in memory.
"""

import numpy as np

from qtrl.quantum.engines.cpu.angles import parity
from qtrl.quantum.engines.cpu.compiling import inner, vectorized
from qtrl.quantum.engines.cpu.lanes import (
    LANES,
    exchange_1,
    exchange_2,
    exchange_4,
    load,
    minus_product,
    multiply,
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


@vectorized
def times(a_re, a_im, b_re, b_im):
    """Multiply complex numbers."""
    return minus_product(multiply(a_re, b_re), a_im, b_im), plus_product(multiply(a_re, b_im), a_im, b_re)


@inner
def _double(re, im, count, ratio):
    """Append to the first `count` numbers their products with `ratio`."""
    x, y = np.float32(ratio.real), np.float32(ratio.imag)
    for i in range(count):
        re[i + count], im[i + count] = re[i] * x - im[i] * y, re[i] * y + im[i] * x


@inner
def fill_factors(base, ratios, high, lanes):
    """Write the products, over the bits that are set, of their ratios; those within a vector also get `base`."""
    high_re, high_im, lane_re, lane_im = high[0], high[1], lanes[0], lanes[1]
    lane_re[0], lane_im[0] = base.real, base.imag
    high_re[0], high_im[0] = 1.0, 0.0
    for bit in range(3):
        _double(lane_re, lane_im, 1 << bit, ratios[bit])
    for bit in range(3, len(ratios)):
        count, ratio = 1 << (bit - 3), ratios[bit]
        if count < LANES:
            _double(high_re, high_im, count, ratio)
        else:
            re, im = splat(np.float32(ratio.real)), splat(np.float32(ratio.imag))
            for i in range(0, count, LANES):
                x, y = times(load(high_re, i), load(high_im, i), re, im)
                store(high_re, i + count, x)
                store(high_im, i + count, y)


@inner
def write_product(re, im, high, lanes):
    """Write the product state of the factors."""
    high_re, high_im, lane_re, lane_im = high[0], high[1], lanes[0], lanes[1]
    l_re, l_im = load(lane_re, 0), load(lane_im, 0)
    for v in range(len(re) // LANES):
        x, y = times(splat(high_re[v]), splat(high_im[v]), l_re, l_im)
        store(re, v * LANES, x)
        store(im, v * LANES, y)


@inner
def turn_and_phase(re, im, t, high, lanes):
    """Turn the highest bit, then multiply with the product state of the factors."""
    high_re, high_im, lane_re, lane_im = high[0], high[1], lanes[0], lanes[1]
    l_re, l_im, t0 = load(lane_re, 0), load(lane_im, 0), splat(t)
    half = len(re) // 2
    vectors = half // LANES
    for v in range(vectors):
        i = v * LANES
        a_re, b_re = turned(load(re, i), load(re, i + half), t0)
        a_im, b_im = turned(load(im, i), load(im, i + half), t0)
        p_re, p_im = times(splat(high_re[v]), splat(high_im[v]), l_re, l_im)
        a_re, a_im = times(a_re, a_im, p_re, p_im)
        store(re, i, a_re)
        store(im, i, a_im)
        p_re, p_im = times(splat(high_re[v + vectors]), splat(high_im[v + vectors]), l_re, l_im)
        b_re, b_im = times(b_re, b_im, p_re, p_im)
        store(re, i + half, b_re)
        store(im, i + half, b_im)


@inner
def apply_parity(re, im, mask, cosine, sine, scratch_re, scratch_im):
    """Multiply with a phase on the parity of several bits; `sine` is negative for its inverse."""
    low, high = mask % LANES, mask // LANES
    for lane in range(LANES):
        scratch_re[lane] = cosine
        scratch_im[lane] = sine if parity(lane & low) else -sine
    even = load(scratch_im, 0)
    p_re = load(scratch_re, 0)
    for lane in range(LANES):
        scratch_im[lane] = -scratch_im[lane]
    odd = load(scratch_im, 0)
    for v in range(len(re) // LANES):
        p_im = odd if parity(v & high) else even
        x, y = times(load(re, v * LANES), load(im, v * LANES), p_re, p_im)
        store(re, v * LANES, x)
        store(im, v * LANES, y)
