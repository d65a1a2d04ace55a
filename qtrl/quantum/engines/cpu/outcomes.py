"""From a final state to what is read of it, and from gradients of that to the adjoint state."""

import numpy as np

from qtrl.quantum.engines.cpu.angles import parity
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
def weigh(weights, factor, before, after):
    """Multiply a plane with weights and a factor."""
    factors = splat(factor)
    for i in range(0, len(before), LANES):
        store(after, i, multiply(multiply(load(weights, i), factors), load(before, i)))
