"""Gradients by simultaneous perturbation (SPSA): two circuits give the slope along a random direction of all angles."""

import torch
from torch import Tensor

from qtrl.errors import ConfigError
from qtrl.quantum.engine import Executable
from qtrl.quantum.gradients.vjp import check_vjp, measure


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
