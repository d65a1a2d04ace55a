"""How far apart policies are that should be equal."""

from typing import Any

import torch
from torch import Tensor

from qtrl.commands.export.onnx_file import run_onnx, run_torch
from qtrl.commands.export.policy import QUANTUM, Policy
from qtrl.errors import QtrlError


def parity(model: bytes, policy: Policy, observations: Tensor) -> dict[str, float]:
    """Compare onnxruntime with torch on observations (N, O)."""
    return differences(run_onnx(model, observations), run_torch(policy, observations))


def stand_ins_apart(actor: torch.nn.Module, space: Any, observations: Tensor) -> dict[str, Any]:
    """Compare the policies with the exact circuit and with its surrogate, or say under `reason` why that cannot be."""
    try:
        one, other = (run_torch(Policy(actor, quantum, space), observations) for quantum in QUANTUM)
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
