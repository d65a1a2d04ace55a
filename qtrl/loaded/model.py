"""A model that was trained on a table of examples, and predicts as in a test.

Shapes: `N` rows, `D` input columns, `K` classes.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from qtrl.config.objects import make
from qtrl.config.validation.number import Number
from qtrl.errors import CheckpointError, DataError
from qtrl.loaded.rows import as_rows
from qtrl.nn import Standardize, predict_rows
from qtrl.run.checkpoint_checks import build_fitting, named_tensors
from qtrl.run.exported import MODEL
from qtrl.run.saved_run import LARGEST_SEED, SavedRun
from qtrl.seeding import seed_for

Array = np.ndarray[Any, np.dtype[Any]]
MOST_COLUMNS = 1_000_000
PARTS = ("model.", "inputs.", "targets.")
"""Of a checkpoint's weights, those that predictions need."""


class Network(nn.Module):
    """From rows of a table to logits, or to standardized numbers.

    Args:
        model: Maps standardized rows (N, D) and a generator to logits (N, K), or to standardized numbers (N, 1).
        n_inputs: D.
        numbers: Whether it predicts numbers.
    """

    def __init__(self, model: nn.Module, n_inputs: int, *, numbers: bool) -> None:
        super().__init__()
        self.model, self.inputs = model, Standardize(torch.zeros(2, n_inputs))
        self.targets = Standardize(torch.zeros(2)) if numbers else None

    def forward(self, rows: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return logits (N, K), or standardized numbers (N, 1), for rows (N, D)."""
        return self.model(self.inputs(rows), generator)


class Model:
    """A trained model that predicts as in a test: through the real blocks.

    Attributes:
        columns: Names of the D input columns, in their order.
        classes: Names of the K classes; empty where a number is predicted.
        target: Name of what is predicted.
        examples_seen: Examples that it was trained on, each as often as it was seen.
        network: The torch module, from rows (N, D) in the table's units to logits, or to standardized numbers.
    """

    def __init__(self, network: Network, names: dict[str, Any], *, examples_seen: int, seed: int) -> None:
        self.network, self.examples_seen = network.eval(), examples_seen
        self.columns, self.classes = tuple(names["columns"]), tuple(names["classes"])
        self.target: str = names["target"]
        self._device = network.inputs.mean.device
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Begin the random draws of the blocks, such as their shots, anew."""
        seed = Number(0, LARGEST_SEED).check("seed", seed)
        self._generator = torch.Generator(self._device).manual_seed(seed_for(seed, "test"))

    def predict(self, rows: Any) -> Array:
        """Return what is predicted for each row, (N,): the name of its class, or a number in the target's units.

        Args:
            rows: Numbers (N, D) in the table's units, or a pandas DataFrame with the columns of the table in any
                order.

        Raises:
            ShapeError: It has another shape.
            DataError: A value is missing or infinite, or the data frame has other columns.
        """
        outputs = self._outputs(rows)
        if self.network.targets is None:
            return np.array(self.classes)[outputs.argmax(dim=1).numpy()]
        return self.network.targets.undo(outputs.squeeze(-1).to(self._device)).cpu().numpy()

    def predict_proba(self, rows: Any) -> Array:
        """Return the probability of each class for each row, (N, K); arguments and errors as those of `predict`."""
        if self.network.targets is not None:
            raise DataError(f"{self.target!r} is a number, which has no probabilities: use predict")
        return self._outputs(rows).softmax(dim=1).numpy()

    def _outputs(self, rows: Any) -> Tensor:
        return predict_rows(self.network, torch.from_numpy(as_rows(rows, self.columns)), self._generator)


def make_model(saved: SavedRun, plain: dict[str, Any], *, seed: int, device: torch.device) -> Model:
    """Make the model of a saved run, or of an exported one.

    Raises:
        QtrlError: The checkpoint does not fit the config, or says nothing of its table.
    """
    names = _names(saved)
    tensors = named_tensors(saved.checkpoint, saved.path)
    weights = {name: value for name, value in tensors.items() if name.startswith(PARTS)}
    sizes = (len(names["columns"]), len(names["classes"]) or 1)

    def make_network() -> Network:
        circuit = make(plain["circuit"])
        block = make(plain["block"])(circuit.n_angles, circuit.n_qubits)
        model = make(plain["model"])(*sizes, block, make(plain["gradient"]))
        return Network(model, sizes[0], numbers=not names["classes"])

    with torch.random.fork_rng(devices=[]):  # the caller's random stream stays as it is
        network = build_fitting(make_network, {"state_dict": weights}, saved.path)
    network.load_state_dict(weights)
    return Model(network.to(device), names, examples_seen=saved.checkpoint["env_steps"], seed=seed)


def _names(saved: SavedRun) -> dict[str, Any]:
    """Return the names of columns, classes and target that the checkpoint has, which are untrusted."""
    found = saved.checkpoint.get("table")
    names = found if isinstance(found, dict) else {}
    lists = [names.get("columns"), names.get("classes")]
    texts = all(isinstance(values, list) and all(isinstance(text, str) for text in values) for values in lists)
    if not texts or not isinstance(names.get("target"), str) or not 0 < len(names["columns"]) <= MOST_COLUMNS:
        where = saved.run_dir / MODEL.description if saved.exported else saved.path
        raise CheckpointError(f"{where} does not name the columns of its table; was it made by an earlier version?")
    return names
