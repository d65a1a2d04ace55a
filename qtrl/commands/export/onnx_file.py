"""A policy as an ONNX model, and its run by onnxruntime."""

from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from qtrl.commands.export.policy import Policy
from qtrl.errors import ConfigError

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
INPUT, OUTPUT = "observation", "action"
OPSET = 20


def check_packages() -> None:
    """Raise a ConfigError where the packages of the extra `onnx` are missing."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"format=onnx cannot import {error.name}: pip install 'qtrl[onnx]'") from error


def to_onnx(policy: Policy, observation_size: int) -> bytes:
    """Write a policy as an ONNX model: `observation` (batch, O) to `action` (batch, ...), both float32.

    Raises:
        ConfigError: The actor does what ONNX has no operations for.
    """
    rows = torch.zeros(2, observation_size)
    shapes = {"observation": {0: torch.export.Dim.DYNAMIC}}
    try:
        with torch.no_grad():
            program: Any = torch.onnx.export(
                policy,
                (rows,),
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=shapes,
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # torch raises nearly anything for what it cannot trace
        cause = error.__cause__ or error  # torch's own says how to debug the export
        reason = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        raise ConfigError(f"format=onnx: {type(policy.actor).__name__} cannot be written: {reason}") from error
    model = program.model_proto
    del model.metadata_props[:]
    for node in (*model.graph.node, *(each for function in model.functions for each in function.node)):
        del node.metadata_props[:]  # stack traces, with paths of this machine
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    content: bytes = model.SerializeToString()
    return content


def run_onnx(model: bytes, observations: Tensor) -> Tensor:
    """Return the actions that onnxruntime computes on the CPU for observations (N, O)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (actions,) = session.run([OUTPUT], {INPUT: observations.numpy()})
    return torch.from_numpy(np.asarray(actions))


def run_torch(policy: nn.Module, observations: Tensor) -> Tensor:
    """Return the actions that torch computes."""
    with torch.no_grad():
        actions: Tensor = policy(observations)
    return actions


def onnx_versions() -> dict[str, str]:
    """Return the versions of the packages that wrote and ran a model."""
    return {package: version(package) for package in PACKAGES}
