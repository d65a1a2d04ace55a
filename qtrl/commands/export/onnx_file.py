"""A function as an ONNX model, and its run by onnxruntime."""

from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from qtrl.commands.export.exportable import Signature
from qtrl.errors import ConfigError

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
OPSET = 20


def check_packages() -> None:
    """Raise a ConfigError where the packages of the extra `onnx` are missing."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"format=onnx cannot import {error.name}: pip install 'qtrl[onnx]'") from error


def to_onnx(function: Any, signature: Signature) -> bytes:
    """Write a function as an ONNX model, from (batch, size) to (batch, ...), both float32.

    Args:
        function: A module with a `WithoutCircuits` as its `network`.
        signature: Of it.

    Raises:
        ConfigError: The network does what ONNX has no operations for.
    """
    try:
        with torch.no_grad():
            program: Any = torch.onnx.export(
                function,
                (torch.zeros(2, signature.size),),
                input_names=[signature.takes],
                output_names=[signature.gives],
                dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # torch raises nearly anything for what it cannot trace
        cause = error.__cause__ or error  # torch's own says how to debug the export
        reason = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        raise ConfigError(
            f"format=onnx: {type(function.network.network).__name__} cannot be written: {reason}"
        ) from error
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


def run_onnx(model: bytes, inputs: Tensor) -> Tensor:
    """Return what onnxruntime computes on the CPU for inputs (N, size)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (outputs,) = session.run(None, {session.get_inputs()[0].name: inputs.numpy()})
    return torch.from_numpy(np.asarray(outputs))


def run_torch(function: nn.Module, inputs: Tensor) -> Tensor:
    """Return what torch computes."""
    with torch.no_grad():
        outputs: Tensor = function(inputs)
    return outputs


def onnx_versions() -> dict[str, str]:
    """Return the versions of the packages that wrote and ran a model."""
    return {package: version(package) for package in PACKAGES}
