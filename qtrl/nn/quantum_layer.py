"""The quantum layer: a block, the estimator of its gradient and the pair of its last run, as one module.

Shapes: `B` batch, `P` inputs of the block, `Q` its outputs.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from qtrl.meters import Cost
from qtrl.nn.blocks import Block
from qtrl.nn.gradients import Direct, GradientEstimator
from qtrl.surrogate import FitResult

LayerFunction = Callable[[Tensor, torch.Generator | None], Tensor]
"""Maps q_in (B, P) to q_out (B, Q)."""


class QuantumLayer(nn.Module):
    """A layer whose block acts in the environment, and whose estimator replaces the block where gradients must pass.

    The paper's three phases are three ways to use one layer, so a model may hold any number of them:

    1. Act: `layer(q_in)` runs the block and records its input and output in `pair`.
    2. Fit: `fit` trains the estimator, the qtDNN, on recorded pairs.
    3. Learn: within `approximated(model)`, `layer(q_in)` is the estimator's value, with the estimator's gradient.

    Args:
        block: What acts.
        estimator: Estimates the block's gradient. None, or a block with `surrogate=False`, gives `Direct`: autograd
            through the block itself.

    Attributes:
        pair: What the block received, (B, P), and returned, (B, Q), in its last run here, detached; None before. It
            belongs neither to the state dict nor to copies.
        received: What the estimator received last in the block's place, (B, P), with its graph; None before. It does
            not belong to them either.

    Raises:
        QtrlError: The estimator does not fit the block.

    Source: arXiv:2503.09119, section 3.
    """

    estimator: GradientEstimator

    def __init__(self, block: Block, estimator: GradientEstimator | None = None) -> None:
        super().__init__()
        self.block = block
        self.estimator = Direct() if estimator is None or not block.surrogate else estimator
        self.estimator.check(block)
        self.pair: tuple[Tensor, Tensor] | None = None
        self._approximated = False
        self._replacement: LayerFunction | None = None
        self._noise: tuple[float, torch.Generator] | None = None
        self.received: Tensor | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "pair": None, "_noise": None, "received": None}

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return q_out (B, Q) for q_in (B, P); `generator` feeds the random draws."""
        if self._replacement is not None:
            return self._replacement(q_in, generator)
        if self._approximated:
            self.received = q_in
            return self.estimator(self.block, q_in, generator)
        if self._noise is not None:
            deviation, source = self._noise
            q_in = q_in + deviation * torch.randn(q_in.shape, generator=source, device=q_in.device, dtype=q_in.dtype)
        q_out = self.block(q_in, generator)
        self.pair = (q_in.detach(), q_out.detach())
        return q_out

    def fit(self, q_in: Tensor, q_out: Tensor, **options: Any) -> FitResult | None:
        """Fit the estimator to recorded pairs; takes the arguments of `GradientEstimator.fit`."""
        return self.estimator.fit(q_in, q_out, **options)

    @property
    def pairs(self) -> str:
        """Which pairs `fit` wants, one of `qtrl.nn.gradients.PAIRS`."""
        return self.estimator.pairs

    @property
    def fit_every_updates(self) -> int:
        """Updates from one `fit` to the next."""
        return self.estimator.fit_every_updates

    def cost(self, batch: int, *, gradient: bool) -> Cost:
        """Return what one approximated `forward` runs on a quantum computer, with or without a backward pass."""
        return self.estimator.cost(self.block, batch, gradient=gradient)

    def borrow_estimator(self) -> None:
        """Use the estimator without owning it: it is no longer among this layer's submodules, parameters and state."""
        estimator = self.estimator
        self._modules.pop("estimator", None)
        object.__setattr__(self, "estimator", estimator)


class QuantumLayers(dict[str, QuantumLayer]):
    """The quantum layers of a model by their dotted names, and what they cost together."""

    def cost(self, batch: int, *, gradient: bool) -> Cost:
        """Return what one approximated forward pass runs on a quantum computer, with or without a backward pass."""
        return sum((layer.cost(batch, gradient=gradient) for layer in self.values()), Cost())

    def block_cost(self, batch: int) -> Cost:
        """Return what one forward pass through the blocks runs on a quantum computer."""
        return sum((layer.block.cost(batch) for layer in self.values()), Cost())

    @property
    def seconds(self) -> float:
        """Wall-clock seconds that the circuits have run so far, gradients included."""
        return sum({id(layer.block): layer.block.seconds for layer in self.values()}.values())

    def squared_displacement(self) -> Tensor:
        """Return the mean over rows of the squared distance of what estimators received last from the base point.

        A scalar with its graph, summed over angles and layers, in rad² where the blocks are circuits; 0 without layers.
        """
        terms = [
            (layer.received - layer.block.base).square().sum(dim=1).mean()
            for layer in self.values()
            if layer.received is not None
        ]
        return torch.stack(terms).sum() if terms else torch.zeros(())

    def forget(self) -> None:
        """Let go of what estimators received, and of the graph behind it, which keeps memory of its update."""
        for layer in self.values():
            layer.received = None


def quantum_layers(model: nn.Module) -> QuantumLayers:
    """Find the quantum layers of a model, in the order of its modules, each once."""
    return QuantumLayers({name: m for name, m in model.named_modules() if isinstance(m, QuantumLayer)})


def estimator_parameters(model: nn.Module) -> list[nn.Parameter]:
    """List the parameters that `fit` moves: those of the estimators of all quantum layers."""
    estimators = {id(layer.estimator): layer.estimator for layer in quantum_layers(model).values()}
    return [parameter for estimator in estimators.values() for parameter in estimator.parameters()]


def classical_parameters(model: nn.Module) -> list[nn.Parameter]:
    """List all other parameters, those of trainable blocks included: what the loss of the whole model moves."""
    fitted = {id(parameter) for parameter in estimator_parameters(model)}
    return [parameter for parameter in model.parameters() if id(parameter) not in fitted]


@contextmanager
def approximated(model: nn.Module) -> Iterator[None]:
    """Replace the blocks of all quantum layers of a model by their estimators in the `with` block."""
    layers = list(quantum_layers(model).values())
    before = [layer._approximated for layer in layers]
    try:
        for layer in layers:
            layer._approximated = True
        yield
    finally:
        for layer, was in zip(layers, before, strict=True):
            layer._approximated = was


@contextmanager
def perturbed(layers: Iterable[QuantumLayer], deviation: float, generator: torch.Generator) -> Iterator[None]:
    """Add independent normal noise to what the blocks of quantum layers receive in the `with` block.

    The noise is part of what a layer records in `pair`, so that each run of a block measures how its outputs answer in
    a random direction around the inputs that the model chose.

    Args:
        layers: Of any model; without an effect where they are approximated or replaced.
        deviation: Standard deviation, in radians where the block is a circuit.
        generator: Source of the noise, on the device of the inputs.
    """
    noisy = list(layers)
    for layer in noisy:
        layer._noise = (deviation, generator)
    try:
        yield
    finally:
        for layer in noisy:
            layer._noise = None


@contextmanager
def replaced(layer: QuantumLayer, function: LayerFunction) -> Iterator[None]:
    """Replace a quantum layer's `forward` by a function in the `with` block, within `approximated` as well."""
    before, layer._replacement = layer._replacement, function
    try:
        yield
    finally:
        layer._replacement = before
