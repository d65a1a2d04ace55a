"""How far apart functions are that should be equal."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from qtrl.commands.export.onnx_file import run_onnx, run_torch
from qtrl.commands.export.stand_ins import QUANTUM
from qtrl.errors import QtrlError


def parity(model: bytes, function: nn.Module, inputs: Tensor) -> dict[str, float]:
    """Compare onnxruntime with torch on inputs (N, size)."""
    return differences(run_onnx(model, inputs), run_torch(function, inputs))


def stand_ins_apart(make: Callable[[str], nn.Module], inputs: Tensor) -> dict[str, Any]:
    """Compare the functions with the exact circuit and with its surrogate, or say under `reason` why that cannot be.

    Args:
        make: Makes the function by a key of `QUANTUM`.
        inputs: As of `parity`.
    """
    try:
        one, other = (run_torch(make(quantum), inputs) for quantum in QUANTUM)
    except QtrlError as error:
        return {"reason": str(error)}
    return differences(one, other)


def differences(one: Tensor, other: Tensor) -> dict[str, float]:
    """Return the largest and the root-mean-square difference of two equally shaped tensors."""
    difference = one.double() - other.double()
    return {
        "largest": difference.abs().max().item(),
        "root_mean_square": difference.square().mean().sqrt().item(),
    }
