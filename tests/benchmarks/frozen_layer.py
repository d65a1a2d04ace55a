"""How well a qtDNN comes to know a circuit around a PreDNN that does not learn.

A PreDNN of random weights maps observations to angles, the circuit is run at these angles, with or without noise on
them, and the qtDNN is fitted to the recorded pairs. Its Jacobian at the angles without noise is compared with the
circuit's exact one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from qtrl.envs import make_env
from qtrl.nn import PQC, HybridActor, QtDNNEstimator, QuantumLayer, perturbed
from qtrl.nn.fidelity import agreement, jacobian
from qtrl.quantum import efficient_su2, make_engine
from qtrl.quantum.gradients import exact_expectations
from qtrl.quantum.information import spread

ACTION_SIZE, BATCH, ROWS_AT_ONCE = 17, 256, 2048


@dataclass(frozen=True)
class Setting:
    """What is varied; the defaults are the recipe.

    Attributes:
        qubits: Of `efficient_su2`.
        reps: Of `efficient_su2`.
        shots: Of each circuit that is recorded; None for exact expectations.
        normalize: See `HybridActor`.
        base: Base point of the angles.
        angle_scale: See `HybridActor`.
        angle_bound: See `HybridActor`.
        angle_noise: Standard deviation, in radians, on each angle of the recorded circuits.
        hidden: Width of the qtDNN.
        linear: Whether the qtDNN has a linear path.
        centered: Whether the qtDNN sees angles from the base point on.
        lr: Learning rate of the fits.
    """

    qubits: int = 10
    reps: int = 10
    shots: int | None = 100
    normalize: str | None = "running"
    base: str = "plus"
    angle_scale: float = 0.1
    angle_bound: str | None = "norm"
    angle_noise: float = 0.1
    hidden: int = 128
    linear: bool = True
    centered: bool = True
    lr: float = 6e-4


RECIPE = Setting()
LETTER = Setting(
    normalize=None,
    base="zero",
    angle_scale=1.0,
    angle_bound=None,
    angle_noise=0.0,
    hidden=2048,
    linear=False,
    centered=False,
    lr=3e-4,
)
"""The paper's sizes, with the simplest choice of all that it leaves open."""


def observations(count: int, env_id: str = "Humanoid-v4") -> Tensor:
    """Return so many observations (N, O) of an environment under random actions."""
    with make_env(env_id) as env:
        env.action_space.seed(0)
        observation, _ = env.reset(seed=0)
        rows = torch.empty(count, len(observation))
        for row in rows:
            row.copy_(torch.from_numpy(observation))
            observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
            if terminated or truncated:
                observation, _ = env.reset()
    return rows


def frozen_actor(setting: Setting, rows: Tensor, seed: int) -> HybridActor:
    """Make an actor of random weights, with the statistics of observations (N, O) where it normalizes them."""
    circuit = efficient_su2(setting.qubits, setting.reps, base=setting.base)
    readout = {"readout": "expectation"} if setting.shots is None else {"shots": setting.shots}
    block = PQC(circuit.n_angles, setting.qubits, circuit=circuit, engine=make_engine("numba"), **readout)
    qtdnn = partial(QtDNNEstimator, hidden=setting.hidden, linear=setting.linear, centered=setting.centered)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        actor = HybridActor(
            rows.shape[1],
            ACTION_SIZE,
            block,
            qtdnn,
            angle_scale=setting.angle_scale,
            angle_bound=setting.angle_bound,
            normalize=setting.normalize,
        )
    if setting.normalize:
        actor.norm.update(rows)
    return actor


def some(rows: Tensor, count: int) -> Tensor:
    """Return at most so many of the rows, evenly spread."""
    return rows[:: max(1, len(rows) // count)][:count]


def recorded(layer: QuantumLayer, angles: Tensor, noise: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Run the layer's block once for each row of angles, and return the pairs that the layer records."""
    pairs = []
    with torch.no_grad(), perturbed([layer], noise, generator):
        for part in angles.split(ROWS_AT_ONCE):
            layer(part, generator)
            pairs.append(layer.pair)
    q_in, q_out = zip(*pairs, strict=True)
    return torch.cat(q_in), torch.cat(q_out)


def measure(setting: Setting, rows: Tensor, *, seed: int, fits: Iterable[int], compared: int) -> dict[str, Any]:
    """Fit the qtDNN to one pair for each observation (N, O), in minibatches, and compare it with the circuit.

    Args:
        setting: What is measured.
        rows: The observations.
        seed: Of weights, noise, shots and minibatches.
        fits: Numbers of fits, one Adam step on a minibatch each, after which to compare.
        compared: Rows to compare at.

    Returns:
        The `cosine` of the two Jacobians, all outputs, rows and angles as one vector, by the number of fits; that of
        the circuit's Jacobian at the base point, which no fit takes, None where that is 0; the norm of the exact one
        for one row, the distance of the angles from the base point, both as means over the rows; and the deviation of
        the exact expectations over the rows, mean over the qubits.
    """
    actor, generator = frozen_actor(setting, rows, seed), torch.Generator().manual_seed(seed)
    layer, executable = actor.layer, actor.layer.block.executable
    with torch.no_grad():
        angles, _ = actor.encode(rows)
    at = some(angles, compared)
    exact, at_base = (
        jacobian(lambda q_in: exact_expectations(executable, q_in), place) for place in (at, layer.block.base[None])
    )
    q_in, q_out = recorded(layer, angles, setting.angle_noise, generator)
    cosine, optimizer = {}, torch.optim.Adam(layer.estimator.parameters(), lr=setting.lr)
    for count in range(1, max(fits) + 1):
        chosen = torch.randint(len(q_in), (BATCH,), generator=generator)
        layer.fit(q_in[chosen], q_out[chosen], optimizer=optimizer)
        if count in fits:
            found = jacobian(lambda q_in: layer.estimator.logits(q_in).sigmoid(), at)
            cosine[str(count)] = agreement([found], [exact])[0].item()
    return {
        "cosine": cosine,
        "base_cosine": agreement([at_base.expand_as(exact)], [exact])[0].item() if at_base.norm() > 1e-4 else None,
        "jacobian_norm": exact.square().sum(dim=(0, 2)).mean().sqrt().item(),
        "displacement": (at - layer.block.base).norm(dim=1).mean().item(),
        "spread": spread(executable.expectations(at)).item(),
    }
