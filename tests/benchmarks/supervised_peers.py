"""The layers of other libraries on the same circuit and data: `python tests/benchmarks/supervised_peers.py`.

Data, classical layers, circuit, minibatches and optimizer are those of `supervised_estimators.py`; what differs is the
layer, and how its gradient is made. Each makes a few updates, in turns, and seconds per epoch are the median update
times the updates of an epoch. Layers that take rows one after the other get two rows and one update. What takes less
than `--train-below` seconds per epoch is trained as well.
Needs the extra `bench`, scikit-learn and qiskit-machine-learning.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from records import conditions
from supervised_estimators import (
    BATCH,
    DECAY,
    ESTIMATORS,
    N_QUBITS,
    PAIRS,
    RATE,
    REPS,
    SHOTS,
    Digits,
    make_model,
)
from torch import Tensor, nn

from qtrl.files.atomic import write_json
from qtrl.nn import QuantumLayer, approximated, classical_parameters, estimator_parameters, fit_quantum_layers
from qtrl.quantum import Circuit, efficient_su2

ROWS_OF_EPOCH = 1_347 // BATCH * BATCH
FEW_ROWS = 2
"""Of an update of layers that take their rows one after the other."""
PACKAGES = ("pennylane", "pennylane-lightning", "qiskit", "qiskit-machine-learning", "scikit-learn")


def _ours(circuit: Circuit, name: str) -> nn.Module:
    return QuantumLayer.from_circuit(circuit, shots=SHOTS, gradient=ESTIMATORS[name])


def _pennylane(circuit: Circuit, device: str, diff_method: str, shots: int | None = None) -> nn.Module:
    import pennylane

    @pennylane.set_shots(shots)
    @pennylane.qnode(pennylane.device(device, wires=circuit.n_qubits), interface="torch", diff_method=diff_method)
    def expectations(inputs: Tensor) -> Any:
        for gate in circuit.gates:
            operation = {"cx": pennylane.CNOT, "ry": pennylane.RY, "rz": pennylane.RZ}[gate.name]
            operation(*(inputs[..., angle] for angle in gate.angles), wires=list(gate.qubits))
        return [pennylane.expval(pennylane.PauliZ(wire)) for wire in range(circuit.n_qubits)]

    layer = pennylane.qnn.TorchLayer(expectations, {})
    return nn.Sequential(_RowByRow(layer) if diff_method == "parameter-shift" else layer, _Ones())


def _qiskit(circuit: Circuit, shots: int | None = None) -> nn.Module:
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterVector
    from qiskit.primitives import StatevectorEstimator
    from qiskit.quantum_info import SparsePauliOp
    from qiskit_machine_learning.connectors import TorchConnector
    from qiskit_machine_learning.neural_networks import EstimatorQNN

    inputs, built = ParameterVector("x", circuit.n_angles), QuantumCircuit(circuit.n_qubits)
    for gate in circuit.gates:
        getattr(built, gate.name)(*(inputs[angle] for angle in gate.angles), *gate.qubits)
    readings = [SparsePauliOp.from_sparse_list([("Z", [q], 1.0)], circuit.n_qubits) for q in range(circuit.n_qubits)]
    estimator = StatevectorEstimator(default_precision=0.0 if shots is None else shots**-0.5, seed=0)
    network = EstimatorQNN(
        circuit=built, estimator=estimator, observables=readings, input_params=list(inputs), input_gradients=True
    )
    return nn.Sequential(TorchConnector(network), _Ones())


class _RowByRow(nn.Module):
    """PennyLane shifts the parameters of one row at a time only."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, angles: Tensor) -> Tensor:
        return torch.stack([self.layer(row) for row in angles])


class _Ones(nn.Module):
    """The probability of reading 1 from the expectation of Z."""

    def forward(self, z: Tensor) -> Tensor:
        return (1 - z.float()) / 2


LAYERS: dict[str, Callable[[Circuit], nn.Module]] = {
    f"qtrl, qtDNN, {SHOTS:,} shots": partial(_ours, name="qtdnn, local"),
    f"qtrl, parameter shift, {SHOTS:,} shots": partial(_ours, name="parameter_shift"),
    "qtrl, exact": partial(_ours, name="exact"),
    "PennyLane TorchLayer, default.qubit, backprop": partial(
        _pennylane, device="default.qubit", diff_method="backprop"
    ),
    "PennyLane TorchLayer, lightning.qubit, adjoint": partial(
        _pennylane, device="lightning.qubit", diff_method="adjoint"
    ),
    f"PennyLane TorchLayer, parameter shift, {SHOTS:,} shots": partial(
        _pennylane, device="default.qubit", diff_method="parameter-shift", shots=SHOTS
    ),
    "qiskit-machine-learning TorchConnector, exact": _qiskit,
    f"qiskit-machine-learning TorchConnector, {SHOTS:,} shots": partial(_qiskit, shots=SHOTS),
}
"""Name in the table to layer. Qiskit's estimator draws its noise of so many shots from a normal distribution."""
ONE_BY_ONE = ("PennyLane TorchLayer, parameter shift", "qiskit-machine-learning")
"""How the names of layers begin that take their rows one after the other."""


class Contender:
    """A model with one of the layers, and its optimizers."""

    def __init__(self, make: Callable[[Circuit], nn.Module], seed: int) -> None:
        torch.manual_seed(seed)
        circuit = efficient_su2(N_QUBITS, REPS, base="plus")
        self.layer = make(circuit)
        self.model = make_model(circuit, self.layer)
        self.learner = torch.optim.AdamW(classical_parameters(self.model), lr=RATE, weight_decay=DECAY)
        self.fitter = torch.optim.Adam([{"params": estimator_parameters(self.model)}], lr=RATE)

    def update(self, x: Tensor, y: Tensor) -> None:
        """Make one update; for a qtDNN with its exploration and its fit."""
        self.model.train()
        if estimator_parameters(self.model):
            with torch.no_grad():
                self.model(x)
            fit_quantum_layers(self.model, self.fitter, rows=PAIRS)
        with approximated(self.model):
            loss = F.cross_entropy(self.model(x), y)
        self.learner.zero_grad()
        loss.backward()
        self.learner.step()

    def accuracy(self, digits: Digits) -> float:
        """Return the share of the test's rows whose class is right."""
        with torch.no_grad():
            return (self.model.eval()(digits.test_x).argmax(dim=1) == digits.test_y).float().mean().item()


def rows_of(name: str) -> int:
    """Return how many rows an update of a layer has here."""
    return FEW_ROWS if name.startswith(ONE_BY_ONE) else BATCH


def measure(names: list[str], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of updates, in turns; a first one of each is not counted where there are several rounds."""
    digits, contenders = Digits.of(0), {name: Contender(LAYERS[name], 0) for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for name, contender in contenders.items():
            start, rows = time.process_time(), rows_of(name)
            if number > 1 and rows < BATCH:
                continue
            contender.update(digits.x[:rows], digits.y[:rows])
            took = time.process_time() - start  # of its one thread, whatever else the machine does
            print(f"{name}: {took:.3f} s", flush=True)
            if number:
                seconds[name].append(took)
    return seconds


def train(name: str, epochs: int) -> float:
    """Train to the end and return the accuracy."""
    digits, contender, order = Digits.of(0), Contender(LAYERS[name], 0), torch.Generator().manual_seed(1)
    for _ in range(epochs):
        for x, y in digits.minibatches(order):
            contender.update(x, y)
    return contender.accuracy(digits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/results/supervised/peers.json"))
    parser.add_argument("--layers", nargs="*", default=list(LAYERS), choices=list(LAYERS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--train-below", type=float, default=20.0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    record: dict[str, Any] = {"conditions": conditions(PACKAGES), "layers": {}}
    for name, seconds in measure(asked.layers, asked.rounds).items():
        update = statistics.median(seconds)
        entry = {
            "update_seconds": seconds,
            "cpu_seconds_per_epoch": update * ROWS_OF_EPOCH / rows_of(name),
            "accuracy": None,
        }
        record["layers"][name] = entry
        if entry["cpu_seconds_per_epoch"] < asked.train_below:
            entry["accuracy"] = train(name, asked.epochs)
        print(name, {key: value for key, value in entry.items() if key != "update_seconds"}, flush=True)
        write_json(asked.out, record)


if __name__ == "__main__":
    main()
