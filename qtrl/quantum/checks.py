"""What an engine can do, declared before anything runs, and checks of what it is asked for."""

import math
import os
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

import torch
from torch import Tensor

from qtrl.errors import CircuitError, EngineError
from qtrl.quantum.circuit import Circuit


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do.

    Attributes:
        gates: Names of the gates that it runs.
        max_qubits: The largest circuit that it accepts.
        differentiable: Whether autograd reaches the angles through probabilities and expectations.
        double_precision: Whether float64 angles are computed with in double precision.
        devices: Types of torch devices that it computes on.
        exact: Whether it computes exact probabilities and expectations; False for hardware and samplers, which only
            draw bit strings.
    """

    gates: frozenset[str]
    max_qubits: int
    differentiable: bool
    double_precision: bool
    devices: frozenset[str] = frozenset({"cpu", "cuda"})
    exact: bool = True

    def shortfall(self, circuit: Circuit) -> str | None:
        """Say in a few words why `circuit` cannot run, or return None if it can."""
        if circuit.n_qubits > self.max_qubits:
            needed, limit = (_byte_size(16 * 2**n) for n in (circuit.n_qubits, self.max_qubits))
            return (
                f"holds at most {self.max_qubits} qubits, the circuit has {circuit.n_qubits}: "
                f"a state of it takes {needed}, the limit is {limit}"
            )
        missing = sorted({gate.name for gate in circuit.gates} - self.gates)
        return f"has no gate {', '.join(missing)}" if missing else None


def check_angles(angles: Tensor, circuit: Circuit, capabilities: Capabilities, engine: str) -> None:
    """Refuse, by a `CircuitError`, angles that are not a floating-point (B, P) matrix on a device of the engine."""
    if angles.ndim != 2 or angles.shape[1] != circuit.n_angles:
        expected = f"expected (B, {circuit.n_angles}), B samples of {circuit.n_angles} angles"
        raise CircuitError(f"angles of shape {tuple(angles.shape)} do not fit the circuit: {expected}")
    if angles.dtype not in (torch.float32, torch.float64):
        raise CircuitError(f"angles have dtype {angles.dtype}, expected torch.float32 or torch.float64")
    if angles.device.type not in capabilities.devices:
        devices = ", ".join(sorted(capabilities.devices))
        raise CircuitError(f"angles are on {angles.device}, but engine {engine!r} computes on {devices}")


def check_finite(angles: Tensor) -> None:
    """Refuse NaN and infinity in angles (B, P) on a CPU; elsewhere do nothing, since it would synchronize the device.

    Raises:
        CircuitError: With the first such angle and its sample.
    """
    if angles.device.type != "cpu" or math.isfinite(angles.detach().sum().item()):
        return
    places = (~torch.isfinite(angles)).nonzero().tolist()
    if places:  # a sum of finite angles may overflow
        row, place = places[0]
        raise CircuitError(
            f"angle {place} of sample {row} is {angles[row, place].item()}, expected finite radians; "
            f"{len({row for row, _ in places})} of {len(angles)} samples hold NaN or infinity"
        )


def check_memory(count: int, device: torch.device) -> None:
    """Refuse a result of `count` bytes that the machine's memory cannot hold; on an accelerator torch raises itself."""
    if count < 2**30 or device.type != "cpu":
        return
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if count > memory:
        raise CircuitError(
            f"the result takes {_byte_size(count)}, this machine has {_byte_size(memory)}: cut the batch"
        )


def _byte_size(count: int) -> str:
    power = min(6, max(0, count.bit_length() - 1) // 10)
    return f"{count // 1024**power:,} {('B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB')[power]}"


def import_package(name: str, owner: str, package: str) -> ModuleType:
    """Import the module `name` of an optional package for `owner`.

    Raises:
        EngineError: It cannot be imported; names the command that installs `package`.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise EngineError(f"{owner} cannot import {name} ({error}): pip install {package}") from error
