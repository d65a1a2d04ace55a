"""The gradient estimators compared: `python tests/benchmarks/estimators.py`.

First, on Humanoid-v4 at the paper's sizes: a run is trained as `experiment=paper/humanoid_pqc` is, and on its way, on
the minibatch of the update just made, each estimator gives the gradient of the actor's loss, which is compared with the
exact one and timed. Then the qtDNN alone, for more and fewer qubits and widths: see `qtdnn_growth`.
"""

import argparse
import copy
import json
import os
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from estimator_report import draw, page
from gradient_directions import directions
from lightning.pytorch import Callback, Trainer
from qtdnn_growth import growth
from records import conditions, timed
from run_parts import RunParts, config

from qtrl.algos import TD3
from qtrl.algos.td3_loss import actor_loss
from qtrl.config.instantiate import build
from qtrl.keys import OBSERVATION, Q_IN, Q_OUT
from qtrl.nn import GradientEstimator
from qtrl.process.quiet import quiet_libraries
from qtrl.process.threads import set_threads
from qtrl.specs import Batch

ESTIMATORS = {
    "qtdnn": ["gradient=qtdnn"],
    "exact": ["gradient=exact"],
    "parameter_shift": ["gradient=parameter_shift"],
    "parameter_shift, 100 shots": ["gradient=parameter_shift", "gradient.shots=100"],
    "zero": ["gradient=zero"],
    "spsa": ["gradient=spsa"],
    "spsa, 16 directions": ["gradient=spsa", "gradient.repetitions=16"],
    "spsa, 16 directions, 100 shots": ["gradient=spsa", "gradient.repetitions=16", "gradient.shots=100"],
}
WARMUP, ROUNDS = 1000, 5
HUMANOID = "experiment=paper/humanoid_pqc"


class Comparison(Callback):
    """Compare all estimators after some updates, and time them after the last of these.

    Args:
        after: Numbers of updates, in increasing order.
    """

    def __init__(self, after: list[int]) -> None:
        self.after = after
        self.agreement: list[dict[str, Any]] = []
        self.costs: list[dict[str, Any]] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: TD3, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Measure where it is due."""
        if pl_module.updates not in self.after:
            return
        estimators = {name: self._estimator(overrides, pl_module) for name, overrides in ESTIMATORS.items()}
        for name, estimator in estimators.items():
            found = directions(pl_module, estimator, batch.transitions[OBSERVATION])
            self.agreement.append({"estimator": name, "updates": pl_module.updates} | found)
        if pl_module.updates == self.after[-1]:
            self.costs = cost(pl_module, estimators, batch)

    def _estimator(self, overrides: list[str], module: TD3) -> GradientEstimator:
        """Take the run's own one, which was fitted, for `qtdnn`."""
        layer = module.actor.layer
        made = build(config(HUMANOID, *overrides).gradient)(layer.block.n_in, layer.block.n_out)
        return layer.estimator if made.trainable else made


def seeded() -> torch.Generator:
    """Return a generator that begins anew."""
    return torch.Generator().manual_seed(0)


def cost(module: TD3, estimators: dict[str, GradientEstimator], batch: Batch) -> list[dict[str, Any]]:
    """Time one gradient of the actor's loss through each estimator, in turns, and what it is fitted with for that."""
    actor, observation = module.actor, batch.transitions[OBSERVATION]
    parameters = [*actor.pre.parameters(), *actor.post.parameters()]
    generator = seeded()

    def gradient(estimator: GradientEstimator) -> None:
        q_in, links = actor.encode(observation)
        action = actor.decode(estimator(actor.layer.block, q_in, generator), links)
        torch.autograd.grad(actor_loss(module.critic.first(observation, action)), parameters)

    seconds: dict[str, list[float]] = {name: [] for name in estimators}
    fits: dict[str, list[float]] = {name: [] for name in estimators}
    for _ in range(1 + ROUNDS):
        for name, estimator in estimators.items():
            seconds[name].append(timed(lambda estimator=estimator: gradient(estimator)))
            fits[name].append(timed(fitting(estimator, batch), 10))
    return [
        {
            "estimator": name,
            "circuits": estimator.cost(actor.layer.block, len(observation), gradient=True).circuits,
            "milliseconds": 1e3 * statistics.median(seconds[name][1:]),
            "fit_milliseconds": 1e3 * module.settings.policy_delay * statistics.median(fits[name][1:]),
        }
        for name, estimator in estimators.items()
    ]


def fitting(estimator: GradientEstimator, batch: Batch) -> Any:
    """Return what makes one fit of a copy, or nothing where there is nothing to fit."""
    if not estimator.trainable:
        return lambda: None
    twin, rows = copy.deepcopy(estimator), batch.transitions
    optimizer = torch.optim.Adam(twin.parameters())
    return lambda: twin.fit(rows[Q_IN], rows[Q_OUT], optimizer=optimizer, generator=seeded())


def compare(after: list[int]) -> Comparison:
    """Train a run and compare the estimators on its way."""
    comparison = Comparison(after)
    cfg = config(HUMANOID, "data.capacity=10000", f"warmup_env_steps={WARMUP}", f"total_env_steps={WARMUP + after[-1]}")
    with TemporaryDirectory() as folder:
        parts = RunParts(cfg, Path(folder))
        parts.fit(parts.stream(), [comparison])
    return comparison


def main() -> None:
    """Measure, print, and write `estimators.json`, `estimators.md` and `estimators.png`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--after", type=int, nargs="+", default=[100, 300, 1000], help="updates to compare after")
    parser.add_argument("--fits", type=int, default=1000, help="fits of each qtDNN of the second part")
    parser.add_argument("--qubits", type=int, nargs="+", default=[4, 6, 8, 10, 12])
    options = parser.parse_args()
    quiet_libraries()
    set_threads(options.threads, 1)
    record = conditions(["numba"]) | {"warmup_env_steps": WARMUP, "fits": options.fits}
    comparison = compare(sorted(options.after))
    record |= {"costs": comparison.costs, "agreement": comparison.agreement}
    record["growth"] = growth(options.qubits, options.fits)
    record["load_average_after"] = os.getloadavg()
    (options.out / "estimators.json").write_text(json.dumps(record, indent=2) + "\n")
    (options.out / "estimators.md").write_text(page(record))
    draw(record, options.out / "estimators.png")
    print(page(record))


if __name__ == "__main__":
    main()
