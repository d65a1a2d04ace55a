"""Gradient estimators on supervised data, side by side: `python tests/benchmarks/supervised_estimators.py`.

One network with a circuit in it learns scikit-learn's digits, with one gradient estimator at a time and everything else
equal: data, classical layers, circuit, minibatches, Adam. All of the input goes through the circuit. Each estimator and
seed is one entry of the record, written when it is there; the same command measures what is missing.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from records import conditions
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from qtrl.files.atomic import write_json
from qtrl.meters import Cost
from qtrl.nn import (
    AngleScaling,
    ExactEstimator,
    OutputScaling,
    ParameterShiftEstimator,
    QtDNNEstimator,
    QuantumLayer,
    SPSAEstimator,
    StraightThroughEstimator,
    ZeroEstimator,
    approximated,
    classical_parameters,
    drawing,
    estimator_parameters,
    fit_quantum_layers,
    replaced,
)
from qtrl.nn.fidelity import agreement
from qtrl.quantum import Circuit, efficient_su2

N_QUBITS, REPS, HIDDEN, BATCH, EPOCHS, SHOTS = 10, 2, 128, 64, 30, 1_000
RATE, DECAY, DROPOUT = 2e-3, 1e-2, 0.2
PAIRS, FITS = 256, 4
"""Recorded pairs for each update, and steps of the qtDNN on them."""
PROBE_EVERY, PROBE_ROWS = 50, 128
SEEDS = range(5)

local = partial(QtDNNEstimator, hidden=128, linear=True, centered=True, fit_batches=FITS)
ESTIMATORS: dict[str, Callable[[int, int], Any]] = {
    "qtdnn, local": local,
    "qtdnn, local, fresh pairs": partial(local, pairs="fresh"),
    "qtdnn, local, the circuit's value": partial(local, value="block"),
    "qtdnn, 2,048 units as in the paper": partial(QtDNNEstimator, fit_batches=FITS),
    "exact": ExactEstimator,
    "parameter_shift": partial(ParameterShiftEstimator, shots=SHOTS),
    "spsa": partial(SPSAEstimator, shots=SHOTS),
    "straight_through": StraightThroughEstimator,
    "zero": ZeroEstimator,
}
"""Name in the table to estimator."""


@dataclass(frozen=True)
class Digits:
    """Standardized images and labels, split anew for each seed."""

    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor

    @classmethod
    def of(cls, seed: int) -> "Digits":
        """Split the digits, a quarter for the test, each class alike."""
        x, y = load_digits(return_X_y=True)
        parts = train_test_split(x, y, stratify=y, random_state=seed)
        train, test, *labels = (torch.from_numpy(part) for part in parts)
        mean, std = train.mean(dim=0), train.std(dim=0).clamp_min(1e-6)
        return cls(((train - mean) / std).float(), labels[0], ((test - mean) / std).float(), labels[1])

    def minibatches(self, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the rows of one epoch in a random order; what is less than a minibatch is left out."""
        order = torch.randperm(len(self.x), generator=generator)
        for rows in order[: len(order) // BATCH * BATCH].split(BATCH):
            yield self.x[rows], self.y[rows]


def make_model(circuit: Circuit, layer: nn.Module, n_classes: int = 10) -> nn.Sequential:
    """Put a layer, from angles (B, P) to values in [0, 1] (B, Q), between classical ones."""
    base = torch.tensor(circuit.base)
    before = [nn.Dropout(DROPOUT), nn.Linear(64, HIDDEN), nn.LayerNorm(HIDDEN), nn.LeakyReLU()]
    after = [nn.Linear(circuit.n_qubits, HIDDEN), nn.LayerNorm(HIDDEN), nn.LeakyReLU(), nn.Linear(HIDDEN, n_classes)]
    angles = [nn.Linear(HIDDEN, circuit.n_angles), AngleScaling(base, 0.1)]
    return nn.Sequential(*before, *angles, layer, OutputScaling(0.5, 10.0), *after)


def train(name: str, seed: int, epochs: int) -> dict[str, Any]:
    """Train with one estimator and return what it gave and took."""
    torch.manual_seed(seed)
    digits, circuit = Digits.of(seed), efficient_su2(N_QUBITS, REPS, base="plus")
    layer = QuantumLayer.from_circuit(circuit, shots=SHOTS, gradient=ESTIMATORS[name])
    model = make_model(circuit, layer)
    fitter = torch.optim.Adam([{"params": estimator_parameters(model)}], lr=RATE)
    learner = torch.optim.AdamW(classical_parameters(model), lr=RATE, weight_decay=DECAY)
    order, draws = (torch.Generator().manual_seed(1_000 * seed + stream) for stream in (1, 2))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(learner, epochs * (len(digits.x) // BATCH))
    spent, seconds, cosines, updates = Cost(), 0.0, [], 0
    for _ in range(epochs):
        for x, y in digits.minibatches(order):
            start = time.process_time()  # of its one thread, whatever else the machine does
            with drawing(model, draws):
                spent += _update(model, layer, x, y, fitter, learner)
            schedule.step()
            seconds += time.process_time() - start
            if updates % PROBE_EVERY == 0:
                cosines.append([updates, _cosine(model, layer, digits, draws)])
            updates += 1
    with drawing(model.eval(), draws), torch.no_grad():
        correct = (model(digits.test_x).argmax(dim=1) == digits.test_y).float().mean().item()
    took = {"circuits": spent.circuits, "shots": spent.shots, "cpu_seconds_per_epoch": seconds / epochs}
    return {"accuracy": correct, "updates": updates, "cosine": cosines, **took}


def _update(model: nn.Module, layer: QuantumLayer, x: Tensor, y: Tensor, fitter: Any, learner: Any) -> Cost:
    """Make one update and return what it ran on the circuit."""
    model.train()
    spent = layer.cost(len(x), gradient=True)
    if layer.estimator.trainable:
        with torch.no_grad():
            model(x)
        spent += layer.block.cost(len(x))
        fit_quantum_layers(model, fitter, rows=PAIRS)
    with approximated(model):
        loss = F.cross_entropy(model(x), y)
    learner.zero_grad()
    loss.backward()
    learner.step()
    return spent


def _cosine(model: nn.Module, layer: QuantumLayer, digits: Digits, draws: torch.Generator) -> float:
    """Return the cosine of the loss's gradient in what lies before the layer, as estimated and exactly."""
    model.eval()
    before = [p for module in list(model)[: list(model).index(layer)] for p in module.parameters()]
    x, y = digits.x[:PROBE_ROWS], digits.y[:PROBE_ROWS]
    exact = ExactEstimator(layer.n_in, layer.n_out)
    with drawing(model, draws):
        with approximated(model):
            estimate = torch.autograd.grad(F.cross_entropy(model(x), y), before, allow_unused=True)
        with replaced(layer, lambda q_in, generator: exact(layer.block, q_in, generator)):
            truth = torch.autograd.grad(F.cross_entropy(model(x), y), before)
    found = [torch.zeros_like(p) if g is None else g for p, g in zip(before, estimate, strict=True)]
    return agreement(found, truth)[0].item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/results/supervised/estimators.json"))
    parser.add_argument("--estimators", nargs="*", default=list(ESTIMATORS), choices=list(ESTIMATORS))
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    record = json.loads(asked.out.read_text()) if asked.out.exists() else {"runs": {}}
    record["conditions"] = conditions(["scikit-learn"])
    for seed in range(asked.seeds):
        for name in asked.estimators:
            runs = record["runs"].setdefault(name, {})
            if str(seed) not in runs:
                runs[str(seed)] = train(name, seed, asked.epochs)
                print(name, seed, {key: value for key, value in runs[str(seed)].items() if key != "cosine"}, flush=True)
                asked.out.parent.mkdir(parents=True, exist_ok=True)
                write_json(asked.out, record)


if __name__ == "__main__":
    main()
