"""The Triton kernel of gradients: the adjoint method on the chip, from first gate to the slope of every angle.

With p the probabilities and w the derivative of some number in them, the derivative in the angle of a step is
2 Re <w psi | dU psi>, both states taken where the step is. They are taken back layer by layer from the end, so that no
state is stored (arXiv:2009.02823). Shapes are those of `kernel`.
"""

import triton
import triton.language as tl

from qtrl.quantum.engines.gpu.kernel import is_odd, jit_kernel, permute, planes, run, shift, turn


@triton.jit
def _overlaps(first, second, BIT: tl.constexpr, QUBITS: tl.constexpr):
    """Sum first[high] second[low] - first[low] second[high] over the pairs of entries that differ in a bit."""
    shape: tl.constexpr = (2 ** (QUBITS - BIT), 2, 2**BIT)
    first_low, first_high = tl.split(tl.permute(tl.reshape(first, shape), (0, 2, 1)))
    second_low, second_high = tl.split(tl.permute(tl.reshape(second, shape), (0, 2, 1)))
    return tl.sum(first_high * second_low - first_low * second_high)


@triton.jit
def _turn_slopes(slopes, adjoint, state, layer, program, QUBITS: tl.constexpr):
    for bit in tl.static_range(QUBITS):
        slot = tl.load(program.turns + layer * QUBITS + bit)
        tl.store(slopes + slot, _overlaps(adjoint, state, bit, QUBITS))


@triton.jit
def _shift_slopes(slopes, adjoint, state, layer, program, QUBITS: tl.constexpr):
    index = tl.arange(0, 2**QUBITS)
    adjoint_re, adjoint_im = planes(adjoint, QUBITS)
    re, im = planes(state, QUBITS)
    current = adjoint_im * re - adjoint_re * im
    for bit in tl.static_range(QUBITS):
        slot = tl.load(program.phases + layer * QUBITS + bit)
        tl.store(slopes + slot, tl.sum(tl.where((index >> bit) & 1 == 1, current, -current)))
    for parity in range(tl.load(program.parity_starts + layer), tl.load(program.parity_starts + layer + 1)):
        slot = tl.load(program.parity_slots + parity)
        odd = is_odd(index, tl.load(program.parity_masks + parity))
        tl.store(slopes + slot, tl.sum(tl.where(odd, current, -current)))


@triton.jit
def _weights(values, OF_BITS: tl.constexpr, QUBITS: tl.constexpr):
    """Return the derivative in each probability, given that in each expectation or in each probability."""
    index = tl.arange(0, 2**QUBITS)
    if OF_BITS:
        weights = tl.zeros((2**QUBITS,), tl.float32)
        for bit in tl.static_range(QUBITS):
            value = tl.load(values + QUBITS - 1 - bit)
            weights += tl.where((index >> bit) & 1 == 1, value, 0.0)
    else:
        weights = tl.load(values + index)
    return weights


@jit_kernel
def gradient(
    slopes, values, angles, program, sines, n_places, n_slots, n_terms, n_layers,
    OF_BITS: tl.constexpr, QUBITS: tl.constexpr,
):  # fmt: skip
    """Write the derivative in the angle of each slot: `slopes` (B, K) float32, from `values` (B, n) or (B, 2**n).

    That of slot 0, the angle 0, is of no use.
    """
    row = tl.program_id(0).to(tl.int64)
    sines += row * 2 * n_slots
    slopes += row * n_slots
    values += row * (QUBITS if OF_BITS else 2**QUBITS)
    state = run(angles + row * n_places, program, sines, n_slots, n_terms, n_layers, QUBITS)
    weights = _weights(values, OF_BITS, QUBITS)
    adjoint = tl.reshape(tl.permute(tl.join(weights, weights), (1, 0)), (2 ** (QUBITS + 1),)) * state
    for back in range(n_layers):
        layer = n_layers - 1 - back
        _shift_slopes(slopes, adjoint, state, layer, program, QUBITS)
        adjoint = shift(adjoint, layer, program, sines, n_slots, -1.0, QUBITS)
        state = shift(state, layer, program, sines, n_slots, -1.0, QUBITS)
        _turn_slopes(slopes, adjoint, state, layer, program, QUBITS)
        adjoint = turn(adjoint, layer, program, sines, n_slots, -1.0, QUBITS)
        state = turn(state, layer, program, sines, n_slots, -1.0, QUBITS)
        adjoint = permute(adjoint, layer, program, program.images, QUBITS)
        state = permute(state, layer, program, program.images, QUBITS)
