"""From a final state to what is read of it."""

import numpy as np

from qtrl.quantum.engines.cpu.compiling import inner
from qtrl.quantum.engines.cpu.lanes import LANES, add, load, multiply, plus_product, splat, store, total


@inner
def write_weights(re, im, scale):
    """Overwrite the real plane with the probabilities of the basis states."""
    factor = splat(np.float32(scale * scale))
    for i in range(0, len(re), LANES):
        x, y = load(re, i), load(im, i)
        store(re, i, multiply(factor, plus_product(multiply(x, x), y, y)))


@inner
def write_probabilities(weights: np.ndarray, flips: int, out: np.ndarray) -> None:
    """Copy the weights to the outcomes that they belong to."""
    for index in range(len(out)):
        out[index ^ flips] = weights[index]


@inner
def sums_where_set(weights: np.ndarray, sums: np.ndarray) -> None:
    """Write for each bit the sum of the weights where it is set; a vector of the same sum stays of the weights."""
    for bit in range(len(sums) - 1, 2, -1):
        half = 1 << bit
        kept = splat(np.float32(0.0))
        for i in range(0, half, LANES):
            upper = load(weights, i + half)
            kept = add(kept, upper)
            store(weights, i, add(load(weights, i), upper))
        sums[bit] = total(kept)
    for bit in range(3):
        sums[bit] = 0.0
        for lane in range(LANES):
            if lane >> bit & 1:
                sums[bit] += weights[lane]


@inner
def write_expectations(weights: np.ndarray, flips: int, sums: np.ndarray, out: np.ndarray) -> None:
    """Write the probability of reading 1 on each qubit; the weights are lost."""
    sums_where_set(weights, sums)
    n_qubits = len(out)
    for qubit in range(n_qubits):
        bit = n_qubits - 1 - qubit
        probability = 1.0 - sums[bit] if flips >> bit & 1 else sums[bit]
        out[qubit] = min(max(probability, 0.0), 1.0)


@inner
def write_samples(weights, flips, draws, cumulative, out):
    """Write the outcome that each uniform draw in [0, 1) falls upon."""
    whole = 0.0
    for v in range(len(cumulative)):
        whole += total(load(weights, v * LANES))
        cumulative[v] = whole
    for shot in range(len(draws)):
        aim = draws[shot] * whole
        v, step = 0, len(cumulative) // 2
        while step > 0:  # without branches, which nobody could predict
            v += step * (cumulative[v + step - 1] <= aim)
            step //= 2
        index, reached = v * LANES, cumulative[v] - total(load(weights, v * LANES))
        for lane in range(LANES - 1):
            reached += weights[v * LANES + lane]
            index += reached <= aim
        while weights[index] == 0.0 and index > 0:  # rounding may end on a state that cannot occur
            index -= 1
        out[shot] = index ^ flips


@inner
def count_ones(samples: np.ndarray, out: np.ndarray) -> None:
    """Write how many outcomes read 1 on each qubit."""
    n_qubits = len(out)
    for qubit in range(n_qubits):
        ones = 0
        for shot in range(len(samples)):
            ones += samples[shot] >> (n_qubits - 1 - qubit) & 1
        out[qubit] = ones
