"""How the qtDNN's fidelity and cost grow with the number of qubits and with its width.

A new PreDNN turns observations of Humanoid-v4 into angles, the block answers them once, and the qtDNN is fitted on
minibatches of these pairs as in training. Then it is compared with the exact circuit on the last minibatch.
"""

import statistics
import time
from collections.abc import Callable

import torch
from gradient_directions import directions
from omegaconf import DictConfig
from torch import Tensor

from qtrl.algos import TD3
from qtrl.callbacks.probe import surrogate_metrics
from qtrl.envs import env_spec
from qtrl.meters import RunMeters
from qtrl.wiring import build

WIDTHS = (0.25, 0.5, 1.0, 2.0)
"""Widths of the hidden layer, in units of 2 ** (qubits + 1)."""


def growth(
    config: Callable[..., DictConfig], observations: Tensor, qubits: list[int], fits: int
) -> list[dict[str, float]]:
    """Fit a qtDNN for each number of qubits and each width.

    Args:
        config: Composes the config of a run from overrides.
        observations: (rows, O).
        qubits: Numbers of qubits.
        fits: Updates of each qtDNN, one Adam step on one minibatch each.
    """
    return [_grown(config, observations, n_qubits, width, fits) for n_qubits in qubits for width in WIDTHS]


def _grown(
    config: Callable[..., DictConfig], observations: Tensor, n_qubits: int, width: float, fits: int
) -> dict[str, float]:
    hidden = int(width * 2 ** (n_qubits + 1))
    cfg = config(f"circuit.n_qubits={n_qubits}", f"surrogate.hidden={hidden}")
    module = build.build_module(cfg, env_spec(cfg.env.id), meters=RunMeters(), ranks=build.Ranks())
    optimizer = build.build_optimizer(cfg.algo.surrogate_optimizer)(module.estimator.parameters())
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        q_in, _ = module.actor.encode(observations)
        q_out = module.actor.block(q_in, generator)
    seconds = []
    for _ in range(fits):
        rows = torch.randint(len(q_in), (cfg.data.batch_size,), generator=generator)
        start = time.perf_counter()
        module.estimator.fit(q_in[rows], q_out[rows], optimizer=optimizer, generator=generator)
        seconds.append(time.perf_counter() - start)
    size = {"qubits": n_qubits, "width": width, "hidden": hidden, "angles": module.actor.block.n_in}
    return size | {"fit_milliseconds": 1e3 * statistics.median(seconds)} | _fidelity(module, observations[rows])


def _fidelity(module: TD3, observation: Tensor) -> dict[str, float]:
    actor = module.actor
    with torch.no_grad():
        q_in, _ = actor.encode(observation)
        found = surrogate_metrics(module.estimator.logits(q_in), actor.block.mean(q_in))
    kept = {name: found[name].item() for name in ("bce_excess", "bce_floor", "calibration_error")}
    return kept | directions(module, module.estimator, observation)
