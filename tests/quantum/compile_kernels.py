"""Compiles a kernel of the engine `triton` for GPUs that need not be there.

`python compile_kernels.py CAPABILITY,... KERNEL N...` prints, as JSON, the bytes of shared memory that a block takes on
each GPU for each number N of qubits.
"""

import json
import sys

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime.jit import JITFunction

from qtrl.quantum import efficient_su2, make_engine


class AbsentGpu:
    """A driver that only says for which GPU to compile."""

    def __init__(self, capability):
        self.capability = capability

    def get_current_target(self):
        return GPUTarget("cuda", self.capability, 32)

    def get_current_device(self):
        return self.capability  # by which Triton keeps what it compiled

    def get_current_stream(self, device):
        return 0


def launch_one(executable, name, angles):
    if name == "gradient":
        executable._gradient(True, angles, torch.zeros(1, executable.circuit.n_qubits))
    elif name in {"outcomes", "ones"}:
        draw = executable._sample if name == "outcomes" else executable._ones
        draw(angles, 3, torch.Generator())
    else:
        getattr(executable, f"_{name}")(angles)


def main(capabilities, name, *sizes):
    found, launch = {}, JITFunction.run

    def compile_only(kernel, *arguments, **options):
        compiled = launch(kernel, *arguments, **{**options, "warmup": True})
        assert compiled.metadata.target.arch == capability
        found.setdefault(capability, {})[options["QUBITS"]] = compiled.metadata.shared

    JITFunction.run = compile_only
    for capability in map(int, capabilities.split(",")):
        triton.runtime.driver.set_active(AbsentGpu(capability))
        for n_qubits in map(int, sizes):
            executable = make_engine("triton").prepare(efficient_su2(n_qubits, 1))
            launch_one(executable, name, torch.zeros(1, executable.circuit.n_angles))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
