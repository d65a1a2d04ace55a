"""Readouts: what a quantum layer returns for its angles, one number in [0, 1] for each qubit.

A readout maps `(executable, angles (B, P), shots, generator)` to (B, n), detached: what carries autograd is
`Executable.expectations`. The generator must be on the device of the angles; exact readouts need none.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor

from qtrl.errors import CircuitError, ConfigError
from qtrl.quantum.engine import Executable, bits_of


class Readout(Protocol):
    """The signature that all readouts share; those that are exact ignore `shots` and `generator`."""

    def __call__(self, executable: Executable, angles: Tensor, shots: int, generator: torch.Generator | None) -> Tensor:
        """Map angles (B, P) to (B, n) values in [0, 1], detached."""


def _marginals(executable: Executable, angles: Tensor, shots: int, generator: torch.Generator | None) -> Tensor:
    if generator is None:
        raise CircuitError("this readout draws at random: give it a torch.Generator on the device of the angles")
    return executable.marginals(angles, shots, generator)


@torch.no_grad()
def sample(executable: Executable, angles: Tensor, shots: int, generator: torch.Generator | None) -> Tensor:
    """Read the bits of one shot, whatever `shots` says."""
    return _marginals(executable, angles, 1, generator)


@torch.no_grad()
def mean(executable: Executable, angles: Tensor, shots: int, generator: torch.Generator | None) -> Tensor:
    """Average the bits over the shots: the empirical marginals."""
    return _marginals(executable, angles, shots, generator)


@torch.no_grad()
def majority(executable: Executable, angles: Tensor, shots: int, generator: torch.Generator | None) -> Tensor:
    """Vote over the shots on each qubit; a tie reads 0."""
    return (mean(executable, angles, shots, generator) > 0.5).to(angles.dtype)


@torch.no_grad()
def most_probable(executable: Executable, angles: Tensor, shots: int, generator: torch.Generator | None) -> Tensor:
    """Read the most probable bit string, found exactly; which one of equally probable strings is left open."""
    indices = executable.probabilities(angles).argmax(dim=1)
    return bits_of(indices, executable.circuit.n_qubits).to(angles.dtype)


@torch.no_grad()
def expectation(executable: Executable, angles: Tensor, shots: int, generator: torch.Generator | None) -> Tensor:
    """Read the exact probability of 1 on each qubit."""
    return executable.expectations(angles)


READOUTS: Mapping[str, Readout] = MappingProxyType(
    {
        "sample": sample,
        "mean": mean,
        "majority": majority,
        "most_probable": most_probable,
        "expectation": expectation,
    }
)
"""Name to readout."""


def n_shots(name: str, shots: int) -> int:
    """Count the measurements that a readout takes for one set of angles when it is given `shots`.

    Readouts that a simulator answers exactly take none.

    Raises:
        ConfigError: If there is no such readout.
    """
    if name not in READOUTS:
        raise ConfigError(f"unknown readout {name!r}, expected one of {', '.join(READOUTS)}")
    return {"sample": 1, "mean": shots, "majority": shots}.get(name, 0)
