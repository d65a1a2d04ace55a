"""Triton kernels: each program takes one row of angles and keeps its state on the chip from first gate to outcome.

That of gradients is in `adjoint`, and undoes what the steps here do.

The state is one float32 vector, its upper half the imaginary parts, spread over the threads of a block. Amplitudes of a
pair are brought together by reshaping, which the compiler turns into moves between registers, shuffles within a warp
and few exchanges through shared memory. No branch stands around that: Triton 3.8 cannot compile a reshape within one.

Shapes: `B` rows, `n` qubits (`QUBITS`), `P` places, `K` slots of the program, `S` shots. `angles` are (B, P).
"""

import triton
import triton.language as tl

# One compilation serves all circuits of a size.
jit_kernel = triton.jit(do_not_specialize=["shots", "n_places", "n_slots", "n_terms", "n_layers"])


@triton.jit
def _prepare_slots(angles, program, sines, n_slots, n_terms):
    """Write the sine, and `n_slots` further on the cosine, of half of each slot's angle."""
    for start in range(0, n_slots, 128):
        slot = start + tl.arange(0, 128)
        within = slot < n_slots
        angle = tl.load(program.offsets + slot, mask=within, other=0.0)
        for term in range(n_terms):
            factor = tl.load(program.factors + term * n_slots + slot, mask=within, other=0.0)
            place = tl.load(program.places + term * n_slots + slot, mask=within, other=0)
            angle += factor * tl.load(angles + place, mask=factor != 0.0, other=0.0).to(tl.float64)
        # Reduced in double precision, so that single precision is enough for what is left.
        revolutions = tl.floor(angle * 0.07957747154594767 + 0.5)  # 1 / 4 pi
        half = (0.5 * angle - revolutions * 6.283185307179586).to(tl.float32)
        tl.store(sines + slot, tl.sin(half), mask=within)
        tl.store(sines + n_slots + slot, tl.cos(half), mask=within)
    tl.debug_barrier()  # other threads of the block read what was written


@triton.jit
def permute(state, layer, program, sources, QUBITS: tl.constexpr):
    """Relabel the basis states; `sources` are the program's, or its images, which undo that."""
    chosen = tl.load(program.maps + layer)
    if chosen >= 0:
        place = tl.arange(0, 2 ** (QUBITS + 1))
        basis = place % 2**QUBITS
        source = tl.load(sources + chosen * 2**QUBITS + basis)
        state = tl.gather(state, place - basis + source, 0)
    return state


@triton.jit
def turn(state, layer, program, sines, n_slots, SIGN: tl.constexpr, QUBITS: tl.constexpr):
    """Rotate, bit by bit, the pairs of entries that differ in it; with the sign -1 by the opposite angles."""
    for bit in tl.static_range(QUBITS):
        slot = tl.load(program.turns + layer * QUBITS + bit)
        sine, cosine = SIGN * tl.load(sines + slot), tl.load(sines + n_slots + slot)
        pairs = tl.reshape(state, (2 ** (QUBITS - bit), 2, 2**bit))
        low, high = tl.split(tl.permute(pairs, (0, 2, 1)))
        turned = tl.join(cosine * low - sine * high, sine * low + cosine * high)
        state = tl.reshape(tl.permute(turned, (0, 2, 1)), (2 ** (QUBITS + 1),))
    return state


@triton.jit
def planes(state, QUBITS: tl.constexpr):
    """Return the real and the imaginary parts."""
    return tl.split(tl.permute(tl.reshape(state, (2, 2**QUBITS)), (1, 0)))


@triton.jit
def is_odd(index, mask):
    """Return whether an odd number of the bits in a mask are 1."""
    ones = index & mask
    for step in tl.static_range(4):
        ones ^= ones >> (8 >> step)
    return ones & 1 == 1


@triton.jit
def shift(state, layer, program, sines, n_slots, SIGN: tl.constexpr, QUBITS: tl.constexpr):
    """Multiply with exp(i angle/2) where a parity is odd and with its conjugate elsewhere, parity by parity.

    With the sign -1 the conjugates change places.
    """
    index = tl.arange(0, 2**QUBITS)
    re, im = planes(state, QUBITS)
    for bit in tl.static_range(QUBITS):
        slot = tl.load(program.phases + layer * QUBITS + bit)
        sine, cosine = tl.load(sines + slot), tl.load(sines + n_slots + slot)
        sine = tl.where((index >> bit) & 1 == 1, SIGN * sine, -SIGN * sine)
        re, im = cosine * re - sine * im, cosine * im + sine * re
    for parity in range(tl.load(program.parity_starts + layer), tl.load(program.parity_starts + layer + 1)):
        slot = tl.load(program.parity_slots + parity)
        sine, cosine = tl.load(sines + slot), tl.load(sines + n_slots + slot)
        sine = tl.where(is_odd(index, tl.load(program.parity_masks + parity)), SIGN * sine, -SIGN * sine)
        re, im = cosine * re - sine * im, cosine * im + sine * re
    return tl.reshape(tl.permute(tl.join(re, im), (1, 0)), (2 ** (QUBITS + 1),))


@triton.jit
def run(angles, program, sines, n_slots, n_terms, n_layers, QUBITS: tl.constexpr):
    """Run the circuit on one row of angles; `sines` (2, K) float32 is scratch memory."""
    _prepare_slots(angles, program, sines, n_slots, n_terms)
    state = tl.where(tl.arange(0, 2 ** (QUBITS + 1)) == 0, 1.0, 0.0)
    for layer in range(n_layers):
        state = permute(state, layer, program, program.sources, QUBITS)
        state = turn(state, layer, program, sines, n_slots, 1.0, QUBITS)
        state = shift(state, layer, program, sines, n_slots, 1.0, QUBITS)
    return state


@triton.jit
def _probabilities(angles, program, sines, n_places, n_slots, n_terms, n_layers, QUBITS: tl.constexpr):
    """Run the circuit on this program's row; `sines` (B, 2, K) float32 is scratch memory."""
    row = tl.program_id(0).to(tl.int64)
    angles, sines = angles + row * n_places, sines + row * 2 * n_slots
    re, im = planes(run(angles, program, sines, n_slots, n_terms, n_layers, QUBITS), QUBITS)
    return re * re + im * im


@jit_kernel
def probabilities(out, angles, program, sines, n_places, n_slots, n_terms, n_layers, QUBITS: tl.constexpr):
    """Write the probability of each basis state: `out` (B, 2**n) float32."""
    found = _probabilities(angles, program, sines, n_places, n_slots, n_terms, n_layers, QUBITS)
    row = tl.program_id(0).to(tl.int64)
    tl.store(out + row * 2**QUBITS + tl.arange(0, 2**QUBITS), found)


@jit_kernel
def expectations(out, angles, program, sines, n_places, n_slots, n_terms, n_layers, QUBITS: tl.constexpr):
    """Write the probability of reading 1 on each qubit: `out` (B, n) float32."""
    found = _probabilities(angles, program, sines, n_places, n_slots, n_terms, n_layers, QUBITS)
    index = tl.arange(0, 2**QUBITS)
    row = tl.program_id(0).to(tl.int64)
    for bit in tl.static_range(QUBITS):
        reads_1 = (index >> bit) & 1 == 1
        tl.store(out + row * QUBITS + QUBITS - 1 - bit, tl.sum(tl.where(reads_1, found, 0.0)))


@triton.jit
def _cumulate(found, QUBITS: tl.constexpr):
    """Return the sums of all probabilities up to each one, in double precision, and the last of them."""
    cumulative = tl.cumsum(found.to(tl.float64), 0)
    last = tl.arange(0, 2**QUBITS) == 2**QUBITS - 1
    return cumulative, tl.sum(tl.where(last, cumulative, 0.0))


@triton.jit
def _fall(cumulative, total, draw, QUBITS: tl.constexpr):
    """Find by bisection the basis index that each draw from [0, 1) falls on, or -1 where the total is NaN."""
    outcome = tl.zeros_like(draw).to(tl.int32)
    for step in tl.static_range(QUBITS):
        further = outcome + 2 ** (QUBITS - 1 - step)
        passed = tl.gather(cumulative, further - 1, 0) <= draw * total
        outcome = tl.where(passed, further, outcome)
    return tl.where(total == total, outcome, -1)


@jit_kernel
def outcomes(out, draws, shots, angles, program, sines, n_places, n_slots, n_terms, n_layers, QUBITS: tl.constexpr):
    """Write the basis index of each shot: `out` (B, S) int64, from `draws` (B, S) float64."""
    found = _probabilities(angles, program, sines, n_places, n_slots, n_terms, n_layers, QUBITS)
    cumulative, total = _cumulate(found, QUBITS)
    row = tl.program_id(0).to(tl.int64)
    for start in range(0, shots, 128):
        shot = start + tl.arange(0, 128)
        draw = tl.load(draws + row * shots + shot, mask=shot < shots, other=0.0)
        tl.store(out + row * shots + shot, _fall(cumulative, total, draw, QUBITS), mask=shot < shots)


@jit_kernel
def ones(out, draws, shots, angles, program, sines, n_places, n_slots, n_terms, n_layers, QUBITS: tl.constexpr):
    """Write how many shots read 1 on each qubit: `out` (B, n) float64, from `draws` (B, S) float64."""
    found = _probabilities(angles, program, sines, n_places, n_slots, n_terms, n_layers, QUBITS)
    cumulative, total = _cumulate(found, QUBITS)
    row = tl.program_id(0).to(tl.int64)
    qubit = tl.arange(0, 16)
    bit = tl.maximum(QUBITS - 1 - qubit, 0)
    counts = tl.zeros((16,), tl.int32)
    for start in range(0, shots, 128):
        shot = start + tl.arange(0, 128)
        draw = tl.load(draws + row * shots + shot, mask=shot < shots, other=0.0)
        outcome = tl.where(shot < shots, _fall(cumulative, total, draw, QUBITS), 0)
        counts += tl.sum((outcome[:, None] >> bit[None, :]) & 1, 0)
    counted = tl.where(total == total, counts.to(tl.float64), float("nan"))
    tl.store(out + row * QUBITS + qubit, counted, mask=qubit < QUBITS)
