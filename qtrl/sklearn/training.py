"""The training of a hybrid network in a plain loop: the paper's three phases for each minibatch."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from qtrl.nn import (
    approximated,
    classical_parameters,
    estimator_parameters,
    fit_quantum_layers,
    load_pair_buffers,
    pair_buffers_state,
    predict_rows,
    quantum_layers,
)
from qtrl.seeding import Generators
from qtrl.sklearn.network import set_readout

Loss = Callable[[Tensor, Tensor], Tensor]
"""Maps outputs (B, K) and targets to a scalar."""


class Training:
    """A network, its two optimizers and its random streams.

    Args:
        network: Maps inputs (B, F) and a generator to outputs (B, K); its quantum layers have pair buffers.
        loss: What the classical part is trained for.
        learning_rate: Of the classical part.
        surrogate_learning_rate: Of the qtDNNs.
        weight_decay: Of the classical part, decoupled (AdamW).
        pairs: Recorded pairs that a qtDNN is fitted to at each update.
        seed: Of every random draw.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        *,
        learning_rate: float,
        surrogate_learning_rate: float,
        weight_decay: float,
        pairs: int,
        seed: int,
    ) -> None:
        self.network, self._loss, self._pairs = network, loss, pairs
        self._learner = torch.optim.AdamW(classical_parameters(network), learning_rate, weight_decay=weight_decay)
        fitted = estimator_parameters(network)
        self._fitter = torch.optim.Adam(fitted, surrogate_learning_rate) if fitted else None
        self._seed, self._generators = seed, Generators(seed)

    @property
    def _device(self) -> torch.device:
        return next(self.network.parameters()).device

    def generator(self, purpose: str, device: torch.device | str | None = None) -> torch.Generator:
        """Return the random generator of a purpose, on a device or else the network's."""
        return self._generators.get(purpose, device or self._device)

    def update(self, x: Tensor, y: Tensor) -> float:
        """Explore with the real circuits, fit the qtDNNs, then update the classical part through them."""
        if self._fitter is not None:
            with torch.no_grad():
                self.network(x, self.generator("explore"))
            fit_quantum_layers(self.network, self._fitter, rows=self._pairs, generator=self.generator("fit"))
        with approximated(self.network):
            loss = self._loss(self.network(x, self.generator("learn")), y)
        self._learner.zero_grad()
        loss.backward()
        self._learner.step()
        return loss.item()

    def outputs(self, x: Tensor, shots: int | None) -> Tensor:
        """Return outputs (B, K) for inputs (B, F), in double precision.

        With exact expectations, `shots=None`, a row's outputs do not depend on the rows beside it.
        """
        network = copy.deepcopy(self.network).double()
        for layer in quantum_layers(network).values():
            set_readout(layer.block, shots)
        generator = Generators(self._seed).get("predict", self._device)
        return predict_rows(network, x.double(), generator)

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the network's weights."""
        return copy.deepcopy(self.network.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to go on, as plain data and tensors."""
        state = {"network": self.network.state_dict(), "learner": self._learner.state_dict()}
        fitter = {} if self._fitter is None else {"fitter": self._fitter.state_dict()}
        rest = {"pairs": pair_buffers_state(self.network), "generators": self._generators.state_dict()}
        return {**state, **fitter, **rest}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self.network.load_state_dict(state["network"])
        self._learner.load_state_dict(state["learner"])
        if self._fitter is not None:
            self._fitter.load_state_dict(state["fitter"])
        load_pair_buffers(self.network, state["pairs"])
        self._generators.load_state_dict(state["generators"])
