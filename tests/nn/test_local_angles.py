"""Why angles stay near a base point, with noise: the qtDNN's gradient then points the right way."""

from functools import partial

import gymnasium
import numpy as np
import pytest
import torch
from torch import Tensor

from qtrl.nn import PQC, HybridActor, QtDNNEstimator
from qtrl.nn.fidelity import agreement, jacobian
from qtrl.quantum import efficient_su2, make_engine
from qtrl.quantum.gradients import exact_expectations

PAPER = {"base": "zero", "angle_scale": 1.0, "hidden": 2048, "lr": 3e-4}
LOCAL = {
    "base": "plus",
    "angle_scale": 0.1,
    "angle_bound": "norm",
    "normalize": "running",
    "angle_noise": 0.1,
    "hidden": 128,
    "linear": True,
    "centered": True,
    "lr": 6e-4,
}
OF_THE_QTDNN = ("hidden", "linear", "centered")


@pytest.fixture(scope="module")
def observations() -> Tensor:
    """Humanoid-v4 under random actions, (2,000, 376)."""
    env, rows = gymnasium.make("Humanoid-v4"), []
    env.action_space.seed(0)
    observation, _ = env.reset(seed=0)
    for _ in range(2_000):
        rows.append(observation)
        observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
        if terminated or truncated:
            observation, _ = env.reset()
    env.close()
    return torch.from_numpy(np.array(rows, np.float32))


def cosine_after(fits: int, observations: Tensor, **recipe) -> float:
    """Fit a qtDNN to pairs of a PreDNN that does not learn; return the cosine of its Jacobian with the exact one."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    circuit, lr, noise = (
        efficient_su2(10, 10, base=recipe.pop("base")),
        recipe.pop("lr"),
        recipe.pop("angle_noise", 0.0),
    )
    block = PQC(circuit.n_angles, 10, circuit=circuit, engine=make_engine("numba"))
    estimator = partial(QtDNNEstimator, **{name: recipe.pop(name) for name in OF_THE_QTDNN if name in recipe})
    actor = HybridActor(observations.shape[1], 17, block, estimator, **recipe)
    if recipe.get("normalize"):
        actor.norm.update(observations)
    with torch.no_grad():
        angles, _ = actor.encode(observations)
        q_in = angles.repeat(4, 1)
        q_in += noise * torch.randn(q_in.shape, generator=generator)
        q_out = block(q_in, generator)
    qtdnn = actor.layer.estimator
    optimizer = torch.optim.Adam(qtdnn.parameters(), lr=lr)
    for _ in range(fits):
        rows = torch.randint(len(q_in), (256,), generator=generator)
        qtdnn.fit(q_in[rows], q_out[rows], optimizer=optimizer)
    exact = jacobian(lambda at: exact_expectations(block.executable, at), angles[:64])
    return agreement([jacobian(lambda at: qtdnn.logits(at).sigmoid(), angles[:64])], [exact])[0].item()


def test_near_a_base_point_and_with_noise_the_gradient_points_the_right_way(observations):
    assert cosine_after(300, observations, **LOCAL) > 0.9


def test_by_the_letter_of_the_paper_it_does_not(observations):
    assert abs(cosine_after(300, observations, **PAPER)) < 0.3
