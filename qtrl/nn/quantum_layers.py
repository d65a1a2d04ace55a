"""The quantum layers of a model: how they are found, what they cost together, and which phase they are in."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property

import torch
from torch import Tensor, nn

from qtrl.meters import Cost
from qtrl.nn.quantum_layer import LayerFunction, QuantumLayer
from qtrl.quantum import Circuit
from qtrl.quantum.gradients import parameter_shift_circuits


class QuantumLayers(dict[str, QuantumLayer]):
    """The quantum layers of a model by their dotted names, and what they cost together."""

    def cost(self, batch: int, *, gradient: bool) -> Cost:
        """Return what one approximated forward pass runs on a quantum computer, with or without a backward pass."""
        return sum((layer.cost(batch, gradient=gradient) for layer in self.values()), Cost())

    def block_cost(self, batch: int) -> Cost:
        """Return what one forward pass through the blocks runs on a quantum computer."""
        return sum((layer.block.cost(batch) for layer in self.values()), Cost())

    def shift_circuits(self, *, gradient: bool) -> int:
        """Count the circuits of one row, had the parameter shift given the gradients of all blocks with a circuit."""
        return len(self._circuits) + gradient * self._shifts

    @cached_property
    def _circuits(self) -> list[Circuit]:
        executables = [layer.block.executable for layer in self.values()]
        return [executable.circuit for executable in executables if executable is not None]

    @cached_property
    def _shifts(self) -> int:
        return sum(map(parameter_shift_circuits, self._circuits))

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
    return _fitted(quantum_layers(model).values())


def classical_parameters(model: nn.Module) -> list[nn.Parameter]:
    """List all other parameters, those of trainable blocks included: what the loss of the whole model moves."""
    fitted = {id(parameter) for parameter in estimator_parameters(model)}
    return [parameter for parameter in model.parameters() if id(parameter) not in fitted]


@contextmanager
def approximated(model: nn.Module) -> Iterator[None]:
    """Replace the blocks of all quantum layers of a model by their estimators in the `with` block.

    The estimators are held fixed: what is computed here lets a gradient through them, and leaves none in their
    parameters, even where `backward` is called after the block.
    """
    layers = list(quantum_layers(model).values())
    before = [layer._approximated for layer in layers]
    try:
        for layer in layers:
            layer._approximated = True
        with held_fixed(_fitted(layers)):
            yield
    finally:
        for layer, was in zip(layers, before, strict=True):
            layer._approximated = was


@contextmanager
def held_fixed(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Let gradients pass through parameters but not reach them in the `with` block, nor by what is computed in it."""
    moving = [parameter for parameter in parameters if parameter.requires_grad]
    try:
        for parameter in moving:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in moving:
            parameter.requires_grad_(True)


@contextmanager
def drawing(model: nn.Module, generator: torch.Generator) -> Iterator[None]:
    """Let all quantum layers of a model draw from a generator in the `with` block, where they are given none.

    It is for models whose `forward` takes no generator, such as `nn.Sequential`.

    Args:
        model: May hold any number of layers.
        generator: On the device of the layers' inputs. A backward pass that draws does so from it as well.
    """
    layers = list(quantum_layers(model).values())
    before = [layer._generator for layer in layers]
    try:
        for layer in layers:
            layer._generator = generator
        yield
    finally:
        for layer, was in zip(layers, before, strict=True):
            layer._generator = was


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


def _fitted(layers: Iterable[QuantumLayer]) -> list[nn.Parameter]:
    estimators = {id(layer.estimator): layer.estimator for layer in layers}
    return [parameter for estimator in estimators.values() for parameter in estimator.parameters()]
