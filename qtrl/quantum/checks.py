"""Checks of the arguments of an executable."""

import math
import os

import torch
from torch import Tensor

from qtrl.errors import CircuitError
from qtrl.quantum.capabilities import Capabilities, byte_size
from qtrl.quantum.circuit import Circuit


def check_angles(angles: Tensor, circuit: Circuit, capabilities: Capabilities, engine: str) -> None:
    """Refuse angles that are not a floating-point (B, P) matrix on a device of the engine.

    Raises:
        CircuitError: With what came and what was expected.
    """
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
    """Refuse a result of `count` bytes that the machine's memory cannot hold; on an accelerator torch raises itself.

    Raises:
        CircuitError: With the memory needed and the memory that there is.
    """
    if count < 2**30 or device.type != "cpu":
        return
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if count > memory:
        raise CircuitError(f"the result takes {byte_size(count)}, this machine has {byte_size(memory)}: cut the batch")
