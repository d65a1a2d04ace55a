"""What Python calls: many samples in one call, without the interpreter's lock."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from qtrl.quantum.engines.cpu.adjoint import gradient_of_sample
from qtrl.quantum.engines.cpu.angles import all_finite
from qtrl.quantum.engines.cpu.forward import evolve, make_space
from qtrl.quantum.engines.cpu.outcomes import (
    count_ones,
    write_expectations,
    write_probabilities,
    write_samples,
    write_weights,
)


def _digest() -> str:
    """Return a number of this package's text: numba's cache looks at this file alone, and would miss other changes."""
    texts = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
    return hashlib.sha256(b"".join(texts)).hexdigest()


def _compiled(make: Callable[[str], Callable[..., Any]]) -> Callable[..., Any]:
    """Compile what `make` returns when it is first called, and keep it on disk where numba may write."""
    function = make(_digest())
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:
        return njit(nogil=True)(function)


@_compiled
def run(digest: str) -> Callable[..., Any]:
    """Return the kernel that runs samples and reads them out."""

    def run(program, angles, probabilities, expectations, draws, samples, ones):
        """Fill those outputs that have rows, else (0, 0); return whether all angles are finite, stop where one is not.

        Angles (B, places) are float64, draws (B, S) float64 uniform in [0, 1), probabilities (B, 2**n), expectations
        (B, n) and ones (B, n), how many of the samples read 1, float32, samples (B, S) int64.
        """
        assert digest  # which makes it a part of the cache's key
        space, kept, scales = make_space(program, 2), np.empty((0, 2, 0), np.float32), np.empty(0)
        scratch = np.empty(draws.shape[1], np.int64)
        for row in range(len(angles)):
            if not all_finite(angles[row]):
                return False
            flips, now, scale = evolve(program, angles[row], space, kept, scales)
            re = space.states[now, 0]
            write_weights(re, space.states[now, 1], scale)
            if len(probabilities):
                write_probabilities(re, flips, probabilities[row])
            if len(draws):
                drawn = samples[row] if len(samples) else scratch
                write_samples(re, flips, draws[row], space.cumulative, drawn)
                if len(ones):
                    count_ones(drawn, ones[row])
            if len(expectations):
                write_expectations(re, flips, space.sums, expectations[row])
        return True

    return run


@_compiled
def gradient(digest: str) -> Callable[..., Any]:
    """Return the kernel of vector-Jacobian products."""

    def gradient(program, angles, of_bits, values, gradients):
        """Add to `gradients` (B, places), float64, the gradient of the sum of `values` times what they belong to.

        Values are float32 and belong to expectations (B, n), or where not `of_bits` to probabilities (B, 2**n).
        """
        assert digest
        space, layers, size = make_space(program, 5), len(program.maps), 1 << program.n_bits
        kept, scales = np.empty((layers, 2, size), np.float32), np.empty(layers)
        for row in range(len(angles)):
            gradient_of_sample(program, angles[row], space, kept, scales, of_bits, values[row], gradients[row])

    return gradient
