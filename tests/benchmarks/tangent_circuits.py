"""How many circuits parameter shift and SPSA run for a gradient as good as the qtDNN's."""

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from frozen_layer import Setting, frozen_actor, some
from tangent_grid import Size
from torch import Tensor

from qtrl.nn.fidelity import agreement
from qtrl.quantum.gradients import exact_expectations, parameter_shift, parameter_shift_circuits, spsa, spsa_circuits

SPSA_SHOTS = (100, None)
"""Of each circuit; the first is what the block takes."""
STEP = 0.1
"""Of SPSA, in radians."""


def methods(size: Size) -> list[dict[str, Any]]:
    """List the methods with the shots of each circuit."""
    return [{"method": "parameter_shift", "shots": shots} for shots in size.shots] + [
        {"method": "spsa", "shots": shots} for shots in SPSA_SHOTS
    ]


def gradients(method: dict[str, Any], setting: Setting, rows: Tensor, *, seed: int, size: Size) -> dict[str, Any]:
    """Compare gradients of a method, at the angles of a setting, with the exact one.

    What is differentiated is a sum of the outputs with normal weights, drawn for each row: in the mean over the weights
    the product of two such gradients is that of the two Jacobians, so that cosines are those of Jacobians too.

    Returns:
        The `cosine`, over all rows and angles as one vector, by the number of circuits for each row.
    """
    actor, generator = frozen_actor(setting, rows, seed), torch.Generator().manual_seed(seed)
    executable = actor.layer.block.executable
    with torch.no_grad():
        angles = actor.encode(some(rows, size.gradient_rows))[0].requires_grad_()
    weights = torch.randn(len(angles), setting.qubits, generator=generator)
    exact = torch.autograd.grad(exact_expectations(executable, angles), angles, weights)
    options = {"shots": method["shots"], "generator": generator}
    if method["method"] == "parameter_shift":
        estimate = parameter_shift(executable, angles.detach(), weights, **options)
        estimates = iter([(parameter_shift_circuits(executable.circuit), estimate)])
    else:
        estimate = partial(spsa, executable, angles.detach(), weights, step=STEP, **options)
        estimates = growing(estimate, size.directions)
    return {"cosine": {str(circuits): agreement([one], exact)[0].item() for circuits, one in estimates}}


def growing(estimate: Callable[..., Tensor], directions: Iterable[int]) -> Iterator[tuple[int, Tensor]]:
    """Return the mean over more and more directions, each with its circuits for one row."""
    total, done = torch.zeros(()), 0
    for count in directions:
        total = total + (count - done) * estimate(repetitions=count - done)
        done = count
        yield spsa_circuits(count), total / count


class Effort(NamedTuple):
    """How much of something a cosine takes: exactly so much, or more than so much, the most that was measured."""

    amount: float
    enough: bool = True

    def __mul__(self, factor: int) -> "Effort":
        return Effort(self.amount * factor, self.enough)


def needed(cosines: dict[float, float], target: float) -> Effort:
    """Return how much of an effort a cosine takes, between those measured.

    Args:
        cosines: By the effort, such as circuits or shots.
        target: The cosine asked for.

    Returns:
        The effort, interpolated on the scale on which noise without bias is a straight line: the logarithm of the noise
        over the signal, 1 / cosine² - 1, falls as the logarithm of the effort grows.
    """
    efforts = sorted(cosines)
    noise = [math.log(max(1 / max(cosines[effort], 1e-3) ** 2 - 1, 1e-12)) for effort in efforts]
    wanted = math.log(1 / target**2 - 1)
    if wanted < noise[-1]:
        return Effort(efforts[-1], enough=False)
    order = np.argsort(noise)
    return Effort(float(np.exp(np.interp(wanted, np.array(noise)[order], np.log(efforts)[order]))))
