"""Product states: what a circuit begins with, and what a column of phases multiplies with.

Such a state is kept as *factors*: one complex number for each setting of the bits within a vector, one for each of
those above. An amplitude is the product of two, so that its 2**b amplitudes never have to lie in memory.
"""

import numpy as np

from qtrl.quantum.engines.cpu.angles import parity
from qtrl.quantum.engines.cpu.compiling import inner, vectorized
from qtrl.quantum.engines.cpu.lanes import LANES, load, minus_product, multiply, plus_product, splat, store
from qtrl.quantum.engines.cpu.sweeps import turned


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
def write_zero(re, im):
    """Write |0...0>."""
    for index in range(len(re)):
        re[index], im[index] = np.float32(index == 0), np.float32(0.0)


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
