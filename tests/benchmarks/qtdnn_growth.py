"""How the qtDNN's fidelity and cost grow with the number of qubits and with its width, without reinforcement learning.

Angles scatter around one point, independently of each other; the circuit answers them as a block does, by the mean of
100 shots; the qtDNN is fitted on minibatches of these pairs, as on those of a replay, and compared with the exact
circuit on the last minibatch.
"""

import statistics
from typing import Any

import torch
from records import timed
from torch import Tensor

from qtrl.nn.fidelity import agreement
from qtrl.quantum import Executable, efficient_su2, make_engine
from qtrl.quantum.information import spread
from qtrl.surrogate import QtDNN, bridge, fit
from qtrl.surrogate.fidelity import bce_floor, calibration_error

WIDTHS = (0.25, 0.5, 1.0, 2.0)
"""Widths of the hidden layer, in units of 2 ** (qubits + 1)."""
REPS, DEVIATION, PAIRS, SHOTS, BATCH, LEARNING_RATE = 10, 0.1, 2**16, 100, 256, 3e-4


def growth(qubits: list[int], fits: int) -> list[dict[str, float]]:
    """Fit a qtDNN for each number of qubits and each width, `fits` Adam steps of one minibatch each."""
    found = []
    for n_qubits in qubits:
        executable = make_engine().prepare(efficient_su2(n_qubits, REPS))
        generator = torch.Generator().manual_seed(0)
        n_angles = executable.circuit.n_angles
        centre = 2 * torch.pi * torch.rand(n_angles, generator=generator)
        angles = centre + DEVIATION * torch.randn(PAIRS, n_angles, generator=generator)
        answers = torch.cat([executable.marginals(rows, SHOTS, generator) for rows in angles.split(2**12)])
        for width in WIDTHS:
            hidden = int(width * 2 ** (n_qubits + 1))
            found.append(
                {"qubits": n_qubits, "width": width, "hidden": hidden, "angles": n_angles}
                | _fitted(executable, angles, answers, hidden, fits)
            )
    return found


def _fitted(executable: Executable, angles: Tensor, answers: Tensor, hidden: int, fits: int) -> dict[str, float]:
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = QtDNN(angles.shape[1], hidden, answers.shape[1])
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    seconds = []
    for _ in range(fits):
        rows = torch.randint(len(angles), (BATCH,), generator=generator)
        q_in, q_out = angles[rows], answers[rows]
        seconds.append(timed(lambda q_in=q_in, q_out=q_out: fit(net, optimizer, q_in, q_out)))
    return {"fit_milliseconds": 1e3 * statistics.median(seconds)} | _fidelity(executable, net, q_in)


def _fidelity(executable: Executable, net: QtDNN, angles: Tensor) -> dict[str, float]:
    leaf = angles.clone().requires_grad_()
    weights = torch.linspace(-1, 1, executable.circuit.n_qubits)
    means, logits = executable.expectations(leaf), net(leaf)
    exact = torch.autograd.grad((means @ weights).sum(), leaf)
    found = torch.autograd.grad((bridge(leaf, net) @ weights).sum(), leaf)
    means = means.detach()
    bce = torch.nn.functional.binary_cross_entropy_with_logits(logits, means)
    floor, of_constant = bce_floor(means), bce_floor(means.mean(dim=0))
    measured: dict[str, Any] = {
        "spread": spread(means),
        "excess": bce - floor,
        "constant_excess": of_constant - floor,
        "calibration_error": calibration_error(logits, means).mean(),
        "cosine": agreement(found, exact)[0],
    }
    return {name: value.item() for name, value in measured.items()}
