"""Brings every circuit to few layers of steps (see `steps`), and numbers what the layers consist of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import NamedTuple

import numpy as np

from qtrl.quantum.circuit import Circuit
from qtrl.quantum.engines.steps import Affine, Flip, Phase, Step, Turn, steps_of

Matrix = tuple[int, ...]  # square over GF(2): entry b is the image of bit b, as a mask


@dataclass
class Layer:
    """A map, then turns, then phases; each part may be empty."""

    flips: list[Flip] = field(default_factory=list)  # what the map is made of, in order
    turns: dict[int, Affine] = field(default_factory=dict)  # angle of each turned bit
    phases: dict[int, Affine] = field(default_factory=dict)  # angle of each mask

    def add(self, step: Step) -> None:
        """Join a step to those of its kind."""
        if isinstance(step, Flip):
            self.flips.append(step)
        elif isinstance(step, Turn):
            self.turns[step.bit] = self.turns.get(step.bit, Affine()) + step.angle
        else:
            self.phases[step.mask] = self.phases.get(step.mask, Affine()) + step.angle

    def matrix(self, n_bits: int) -> Matrix:
        """Return the map as a matrix."""
        columns = [1 << bit for bit in range(n_bits)]
        for flip in self.flips:
            columns = [column ^ ((column >> flip.control & 1) << flip.target) for column in columns]
        return tuple(columns)


class Tables(NamedTuple):
    """Layers by number, with *slots* for the angles of their steps: what the programs of kernels are made of."""

    angles: list[Affine]  # of each slot
    maps: list[int]  # for each layer the index of its map, -1 for none
    matrices: list[Matrix]  # the different maps
    turns: list[list[int]]  # for each layer the slot of the turn of each bit
    phases: list[list[int]]  # for each layer the slot of the phase of each single bit
    parity_starts: list[int]  # where the parities of several bits of each layer begin, and where the last ones end
    parity_masks: list[int]
    parity_slots: list[int]


def tabulate(layers: list[Layer], n_bits: int, idle: Sequence[Affine] = ()) -> Tables:
    """Number the maps and angles of layers; where a bit has no turn or phase stands the last slot of `idle`, or -1."""
    angles = list(idle)

    def slot(angle: Affine | None) -> int:
        if angle is None:
            return len(idle) - 1
        angles.append(angle)
        return len(angles) - 1

    matrices = [layer.matrix(n_bits) if layer.flips else None for layer in layers]
    distinct = list(dict.fromkeys(matrix for matrix in matrices if matrix))
    parities = [[mask for mask in layer.phases if mask.bit_count() > 1] for layer in layers]
    return Tables(
        angles=angles,
        maps=[distinct.index(matrix) if matrix else -1 for matrix in matrices],
        matrices=distinct,
        turns=[[slot(layer.turns.get(bit)) for bit in range(n_bits)] for layer in layers],
        phases=[[slot(layer.phases.get(1 << bit)) for bit in range(n_bits)] for layer in layers],
        parity_starts=list(accumulate(map(len, parities), initial=0)),
        parity_masks=list(chain.from_iterable(parities)),
        parity_slots=[
            slot(layer.phases[mask]) for layer, masks in zip(layers, parities, strict=True) for mask in masks
        ],
    )


def images_of(matrix: Matrix) -> np.ndarray:
    """Return the basis index (2**n) that a map takes each basis index to."""
    images = np.zeros(1, np.int32)
    for column in matrix:
        images = np.concatenate([images, images ^ np.int32(column)])
    return images


def lower(circuit: Circuit) -> list[Layer]:
    """Turn a circuit into few layers that give the same probabilities.

    Steps slide towards the beginning past steps that they commute with, so that those of a kind meet. What acts on
    |0...0> as a phase, and phases at the end, are dropped; so the first layer turns, and only the last may map alone.
    """
    layers: list[Layer] = []
    for gate in circuit.gates:
        for step in steps_of(gate, circuit.n_qubits):
            _slide(layers, step)
    while layers and not layers[0].turns:
        del layers[0]
    if layers:
        layers[0].flips.clear()
        for layer in reversed(layers):  # no turn makes these phases visible
            layer.phases.clear()
            if layer.turns:
                break
    return layers


def _slide(layers: list[Layer], step: Step) -> None:
    """Join a step to the earliest layer that it can slide to, or make a new last one."""
    found: tuple[Layer, Step] | None = None
    for layer in reversed(layers):
        if isinstance(step, Phase):
            found = layer, step
        elif any(mask >> (step.bit if isinstance(step, Turn) else step.target) & 1 for mask in layer.phases):
            break
        if isinstance(step, Turn):
            found = layer, step
        elif any(_mask(step) >> bit & 1 for bit in layer.turns):
            break
        if isinstance(step, Flip):
            found = layer, step
        before = _before_flips(step, layer.flips)
        if before is None:
            break
        step = before
    if found is None:
        layers.append(Layer())
        found = layers[-1], step
    found[0].add(found[1])


def _mask(step: Step) -> int:
    """Return the bits that a step acts on."""
    if isinstance(step, Phase):
        return step.mask
    return 1 << step.bit if isinstance(step, Turn) else 1 << step.control | 1 << step.target


def _before_flips(step: Step, flips: list[Flip]) -> Step | None:
    """Return what has the same effect in front of the flips; None where there is none or it is a longer parity."""
    if isinstance(step, Phase):
        mask = step.mask
        for flip in reversed(flips):
            mask ^= (mask >> flip.target & 1) << flip.control
        return Phase(mask, step.angle) if mask.bit_count() <= step.mask.bit_count() else None
    return None if any(_mask(step) & _mask(flip) for flip in flips) else step
