"""From a row of angles to the numbers that the sweeps multiply with.

A turn or a phase by pi is a Pauli operator, and Pauli operators can be pushed through every later step: they only
change the sign of its angle. So each angle is reduced to at most a quarter turn around a *frame*, a Pauli operator
carried along as two masks, and nothing but the bits that are read at the end remains of it. That keeps tangents
within [-1, 1], and sines and cosines cheap.
"""

import math

import numpy as np

from qtrl.quantum.engines.cpu.compiling import inlined, inner
from qtrl.quantum.engines.cpu.program import Program

_LARGE = 1e6


@inner
def all_finite(row: np.ndarray) -> bool:
    """Return whether there is neither NaN nor infinity."""
    nothing = 0.0
    for angle in row:
        nothing += angle - angle
    return nothing == 0.0


@inner
def parity(mask: int) -> int:
    """Return whether the number of ones is odd."""
    for shift in (32, 16, 8, 4, 2, 1):
        mask ^= mask >> shift
    return mask & 1


@inner
def _through_map(columns: np.ndarray, mask: int) -> int:
    image = 0
    for bit in range(len(columns)):
        if mask >> bit & 1:
            image ^= columns[bit]
    return image


@inner
def _through_dual(columns: np.ndarray, mask: int) -> int:
    image = 0
    for bit in range(len(columns)):
        image |= parity(mask & columns[bit]) << bit
    return image


@inlined
def _take_half_revolutions(program: Program, row: np.ndarray, halves: np.ndarray, odd: np.ndarray) -> None:
    """Write half of each slot's angle without its half revolutions, and whether their number is odd."""
    for slot in range(len(halves)):
        angle = program.offsets[slot]
        for term in range(program.starts[slot], program.starts[slot + 1]):
            angle += program.factors[term] * row[program.places[term]]
        if abs(angle) > _LARGE:
            angle = np.fmod(angle, 2 * math.pi)
        halves[slot] = angle
    for slot in range(len(halves)):
        times = np.floor(halves[slot] * (1 / math.pi) + 0.5)
        halves[slot] = 0.5 * (halves[slot] - times * math.pi)
        odd[slot] = np.int64(times) & 1


@inlined
def reduce_angles(program: Program, row: np.ndarray, halves: np.ndarray, odd: np.ndarray, signs: np.ndarray) -> int:
    """Write half of each slot's reduced angle and the sign that it got; return which bits read inverted."""
    _take_half_revolutions(program, row, halves, odd)
    flips, signed = 0, 0
    for layer in range(len(program.maps)):
        chosen = program.maps[layer]
        if chosen >= 0 and flips | signed:
            flips = _through_map(program.images[chosen], flips)
            signed = _through_dual(program.origins[chosen], signed)
        for bit in range(program.n_bits):
            slot = program.turns[layer, bit]
            if slot >= 0:
                signs[slot] = 1 - 2 * ((flips ^ signed) >> bit & 1)
                flips ^= odd[slot] << bit
                signed ^= odd[slot] << bit
        for bit in range(program.n_bits):
            slot = program.phases[layer, bit]
            if slot >= 0:
                signs[slot] = 1 - 2 * (flips >> bit & 1)
                signed ^= odd[slot] << bit
        for index in range(program.parity_starts[layer], program.parity_starts[layer + 1]):
            slot, mask = program.parity_slots[index], program.parity_masks[index]
            signs[slot] = 1 - 2 * parity(mask & flips)
            signed ^= mask * odd[slot]
    return flips


@inner
def sines_and_cosines(halves: np.ndarray, signs: np.ndarray, sines: np.ndarray, cosines: np.ndarray) -> None:
    """Evaluate both for signed angles of at most pi/4, to 2e-9, by their series."""
    for slot in range(len(halves)):
        x = halves[slot] * signs[slot]
        y = x * x
        sines[slot] = x * (1 - y * (1 / 6) * (1 - y * (1 / 20) * (1 - y * (1 / 42) * (1 - y * (1 / 72)))))
        cosine = 1 - y * (1 / 30) * (1 - y * (1 / 56) * (1 - y * (1 / 90)))
        cosines[slot] = 1 - y * (1 / 2) * (1 - y * (1 / 12) * cosine)
