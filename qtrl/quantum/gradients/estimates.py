"""Gradients that runs of the circuit give: shift rules, exact up to shot noise, and simultaneous perturbation (SPSA).

Shapes: `B` batch, `P` angles, `P'` occurrences of angles (P and more), `n` qubits, `T` shifted circuits for one sample.
"""

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from qtrl.errors import CircuitError, ConfigError
from qtrl.quantum.checks import check_angles, check_finite
from qtrl.quantum.circuit import Circuit, unshare
from qtrl.quantum.engine import Executable, check_exact
from qtrl.quantum.readout import expectation, mean

Rule = tuple[tuple[float, float], ...]

_TWO_TERMS: Rule = ((math.pi / 2, 0.5), (-math.pi / 2, -0.5))
_NEAR, _FAR = ((math.sqrt(2) + sign) / (4 * math.sqrt(2)) for sign in (1, -1))
_FOUR_TERMS: Rule = ((math.pi / 2, _NEAR), (-math.pi / 2, -_NEAR), (1.5 * math.pi, -_FAR), (-1.5 * math.pi, _FAR))

SHIFT_RULES: Mapping[str, Rule] = MappingProxyType(
    dict.fromkeys(("rx", "ry", "rz", "p", "u3", "rxx", "ryy", "rzz"), _TWO_TERMS)
    | dict.fromkeys(("crx", "cry", "crz"), _FOUR_TERMS)
)
"""For each gate with angles the terms (shift in radians, coefficient) whose sum is the derivative in one of its angles.

Two terms suffice where the gate's generator has two eigenvalues that differ by 1, so that expectations have the
frequency 1 alone. Controlled rotations have the eigenvalues 0 and +-1/2, hence the frequencies 1/2 and 1.
"""

_ELEMENTS = 2**22  # most numbers in the states, or in the angles, of the circuits of one batch


def measure(
    executable: Executable,
    angles: Tensor,
    *,
    shots: int | None = None,
    generator: torch.Generator | None = None,
    readout_error: float = 0.0,
) -> Tensor:
    """Read the probability of 1 on each qubit, exactly or as the mean of shots: (B, n) in [0, 1], detached."""
    if shots is None:
        check_exact(executable, "a measurement with shots=None")
        return expectation(executable, angles, 0, None, readout_error)
    return mean(executable, angles, shots, generator, readout_error)


def check_vjp(executable: Executable, angles: Tensor, grad_out: Tensor) -> None:
    """Refuse angles, or a derivative in the values, that do not fit the circuit."""
    check_angles(angles, executable.circuit, executable.capabilities, executable.engine)
    check_finite(angles)
    expected = (len(angles), executable.circuit.n_qubits)
    if tuple(grad_out.shape) != expected:
        raise CircuitError(f"grad_out has shape {tuple(grad_out.shape)}, expected {expected}: one for each value")


def parameter_shift_circuits(circuit: Circuit) -> int:
    """Count the circuits T that the gradient of one sample takes: 440 for `efficient_su2(10, 10)`."""
    return sum(1 for _ in _terms(circuit))


@torch.no_grad()
def parameter_shift(
    executable: Executable,
    angles: Tensor,
    grad_out: Tensor,
    *,
    shots: int | None = None,
    generator: torch.Generator | None = None,
    readout_error: float = 0.0,
    max_rows: int | None = None,
) -> Tensor:
    """Compute the vector-Jacobian product of the expectations by running shifted circuits on any engine.

    Every occurrence of an angle is shifted separately and the derivatives are summed, so that gates may share angles.
    Constants are not shifted, and unused angles get 0.

    At most `max_rows` shifted circuits run at once; by default as many as a few tens of megabytes hold.

    Returns:
        (B, P), the derivative in the angles: exact where `shots` is None, else without bias.

    Source: two terms: arXiv:1803.00745 and arXiv:1811.11184; four terms: arXiv:2104.05695, appendix F;
        both as cases of one rule: arXiv:2107.12390.
    """
    check_vjp(executable, angles, grad_out)
    unshared, (_, sources) = executable.unshared, unshare(executable.circuit)
    terms = torch.tensor(list(_terms(unshared.circuit)), dtype=torch.float64, device=angles.device).view(-1, 3)
    places, shifts, coefficients = terms[:, 0].long(), terms[:, 1].to(angles.dtype), terms[:, 2].to(angles.dtype)
    origin = torch.tensor(sources, dtype=torch.long, device=angles.device)
    spread = angles.index_select(1, origin)  # (B, P')
    slopes = [angles.new_zeros(0)]
    rows_at_once = max_rows or max(1, _ELEMENTS // max(2**unshared.circuit.n_qubits, unshared.circuit.n_places))
    for rows in torch.arange(len(angles) * len(terms), device=angles.device).split(rows_at_once):
        sample, term = rows // len(terms), rows % len(terms)
        shifted = spread[sample]
        shifted[torch.arange(len(rows), device=rows.device), places[term]] += shifts[term]
        values = measure(unshared, shifted, shots=shots, generator=generator, readout_error=readout_error)
        slopes.append((values * grad_out[sample]).sum(dim=1))
    weighted = torch.cat(slopes).view(len(angles), len(terms)) * coefficients
    return torch.zeros_like(angles).index_add_(1, origin[places], weighted)


def _terms(circuit: Circuit) -> Iterator[tuple[int, float, float]]:
    """Yield place, shift and coefficient of every term, for a circuit that shares no angle."""
    for gate in circuit.gates:
        for place in gate.angles:
            if place < circuit.n_angles:
                yield from ((place, shift, coefficient) for shift, coefficient in SHIFT_RULES[gate.name])


def spsa_circuits(repetitions: int) -> int:
    """Count the circuits that the gradient of one sample takes."""
    return 2 * repetitions


def check_spsa(step: float, repetitions: int) -> None:
    """Refuse, by a `ConfigError`, a step or a number of repetitions that is out of range."""
    if not 0 < step < float("inf"):
        raise ConfigError(f"spsa: step is {step}, expected radians above 0")
    if not isinstance(repetitions, int) or repetitions < 1:
        raise ConfigError(f"spsa: repetitions is {repetitions}, expected a whole number of at least 1")


@torch.no_grad()
def spsa(
    executable: Executable,
    angles: Tensor,
    grad_out: Tensor,
    *,
    generator: torch.Generator,
    step: float = 0.1,
    repetitions: int = 1,
    shots: int | None = None,
    readout_error: float = 0.0,
) -> Tensor:
    """Estimate the derivative in the angles (B, P) by simultaneous perturbation (SPSA).

    Each repetition (at least 1) draws a direction of +1 and -1 for each sample, reads the circuit one step (radians in
    each angle, above 0) ahead and one back, and takes the slope between them along that direction. In the mean over
    directions this is the gradient, but for a bias that vanishes with the square of the step. Its variance grows with
    the number of angles, and with shots as 1 / (shots * step**2). Unused angles get 0.

    Source: J. C. Spall, IEEE Transactions on Automatic Control 37 (1992) 332-341, doi:10.1109/9.119632, with a constant
        step.
    """
    check_spsa(step, repetitions)
    check_vjp(executable, angles, grad_out)
    estimate = torch.zeros_like(angles)
    for _ in range(repetitions):
        signs = torch.randint(2, angles.shape, generator=generator, dtype=angles.dtype, device=angles.device)
        directions = 2 * signs - 1
        directions[:, list(executable.circuit.unused)] = 0
        both = torch.cat([angles + step * directions, angles - step * directions])
        values = measure(executable, both, shots=shots, generator=generator, readout_error=readout_error)
        ahead, back = values.tensor_split(2)
        slope = ((ahead - back) * grad_out).sum(dim=1, keepdim=True) / (2 * step)
        estimate += slope * directions
    return estimate / repetitions
