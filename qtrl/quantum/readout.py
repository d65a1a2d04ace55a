"""Readouts: what a quantum layer returns for its angles, one number in [0, 1] for each qubit.

A readout maps `(executable, angles (B, P), shots, generator, readout_error)` to (B, n), detached: autograd goes through
`Executable.expectations` alone. The generator must be on the device of the angles; exact readouts need none.

The readout error is the probability, from 0 to 0.5, with which a measured bit is read as the other one, for each qubit
and shot independently.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Generator, Tensor
from torch.distributions import Binomial

from qtrl.errors import CircuitError, ConfigError
from qtrl.quantum.engine import Executable, bits_of, check_exact

Readout = Callable[..., Tensor]
"""Maps `(executable, angles, shots, generator, readout_error=0.0)` as above; exact ones ignore shots and generator."""


@torch.no_grad()
def sample(
    executable: Executable, angles: Tensor, shots: int, generator: Generator | None, readout_error: float = 0.0
) -> Tensor:
    """Read the bits of one shot, whatever `shots` says."""
    return mean(executable, angles, 1, generator, readout_error)


@torch.no_grad()
def mean(
    executable: Executable, angles: Tensor, shots: int, generator: Generator | None, readout_error: float = 0.0
) -> Tensor:
    """Average the bits over the shots: the empirical marginals."""
    check_readout_error(readout_error)
    if generator is None:
        raise CircuitError("this readout draws at random: give it a torch.Generator on the device of the angles")
    marginals = executable.marginals(angles, shots, generator)
    if not readout_error:
        return marginals
    ones = (marginals.double() * shots).round()  # flipping the bits behind them is a binomial draw of both counts
    counts = torch.stack([ones, shots - ones]).nan_to_num(0.0)  # for NaN `binomial` might never end
    flipped = torch.binomial(counts, torch.full_like(counts, readout_error), generator=generator)
    return ((ones - flipped[0] + flipped[1]) / shots).to(marginals.dtype)


@torch.no_grad()
def majority(
    executable: Executable, angles: Tensor, shots: int, generator: Generator | None, readout_error: float = 0.0
) -> Tensor:
    """Vote over the shots on each qubit; a tie reads 0."""
    return (mean(executable, angles, shots, generator, readout_error) > 0.5).to(angles.dtype)


@torch.no_grad()
def most_probable(
    executable: Executable, angles: Tensor, shots: int, generator: Generator | None, readout_error: float = 0.0
) -> Tensor:
    """Read the most probable bit string, found exactly; which one of equally probable strings is not specified."""
    check_exact(executable, "readout most_probable")
    check_readout_error(readout_error)
    probabilities = executable.probabilities(angles)
    n_qubits = executable.circuit.n_qubits
    if readout_error:  # the distribution of the strings as read
        read = probabilities.unflatten(1, [2] * n_qubits)
        for qubit in range(n_qubits):
            read = torch.lerp(read, read.flip(1 + qubit), readout_error)
        probabilities = read.flatten(1)
    return bits_of(probabilities.argmax(dim=1), n_qubits).to(angles.dtype)


@torch.no_grad()
def expectation(
    executable: Executable, angles: Tensor, shots: int, generator: Generator | None, readout_error: float = 0.0
) -> Tensor:
    """Read the exact probability of 1 on each qubit."""
    check_exact(executable, "readout expectation")
    return misread(executable.expectations(angles), readout_error)


def misread(ones: Tensor, readout_error: float) -> Tensor:
    """Turn probabilities of measuring 1 into those of reading 1 with a readout error, elementwise; differentiable."""
    check_readout_error(readout_error)
    return torch.lerp(ones, 1 - ones, readout_error) if readout_error else ones


def check_readout_error(readout_error: float) -> None:
    """Refuse, by a `ConfigError`, a readout error that is not a probability from 0 to 0.5."""
    if not 0 <= readout_error <= 0.5:
        raise ConfigError(f"readout_error is {readout_error}, expected a probability from 0 to 0.5")


READOUTS: Mapping[str, Readout] = MappingProxyType(
    dict(sample=sample, mean=mean, majority=majority, most_probable=most_probable, expectation=expectation)
)
"""Name to readout."""


def n_shots(name: str, shots: int) -> int:
    """Count the measurements that a readout takes for one set of angles when given `shots`: none if it is exact.

    Raises:
        ConfigError: If there is no such readout.
    """
    if name not in READOUTS:
        raise ConfigError(f"unknown readout {name!r}, expected one of {', '.join(READOUTS)}")
    return {"sample": 1, "mean": shots, "majority": shots}.get(name, 0)


def readout_needs_exact(name: str) -> bool:
    """Return whether a readout needs an engine that computes exact probabilities (`Capabilities.exact`)."""
    return n_shots(name, 1) == 0


@torch.no_grad()
def mean_readout(name: str, executable: Executable, angles: Tensor, shots: int, readout_error: float = 0.0) -> Tensor:
    """Compute exactly what the readout `name` returns on average over its random draws: (B, n) in [0, 1], detached.

    Raises:
        ConfigError: If there is no such readout.
        EngineError: If the engine can only sample.
    """
    exact = name if readout_needs_exact(name) else "expectation"
    check_exact(executable, f"the exact mean of readout {name}")
    mean_value = READOUTS[exact](executable, angles, shots, None, readout_error)
    return majority_probability(mean_value, shots) if name == "majority" else mean_value


def majority_probability(probability: Tensor, shots: int) -> Tensor:
    """Return the probability that more than half of `shots` independent bits are 1, elementwise, for that of one."""
    counts = torch.arange(shots // 2 + 1, shots + 1, dtype=torch.float64, device=probability.device)
    ones = Binomial(shots, probability.double().unsqueeze(-1), validate_args=False)  # where NaN stays NaN
    return ones.log_prob(counts).exp().sum(dim=-1).clamp(max=1.0).to(probability.dtype)
