"""Compiles what the engine `triton` launches for a GPU that need not be there: `compile_kernels.py CAPABILITY QUBITS...`.

Prints, as JSON, the shared memory in bytes that a block of each kernel takes.
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
        return 0

    def get_current_stream(self, device):
        return 0


def main(capability, *sizes):
    triton.runtime.driver.set_active(AbsentGpu(capability))
    compiled, run = {}, JITFunction.run

    def compile_only(kernel, *arguments, **options):
        found = run(kernel, *arguments, **{**options, "warmup": True})
        compiled[f"{kernel.__name__} {options['QUBITS']}"] = found.metadata.shared

    JITFunction.run = compile_only
    for n_qubits in sizes:
        executable = make_engine("triton").prepare(efficient_su2(n_qubits, 1))
        angles = torch.zeros(1, executable.circuit.n_angles)
        generator = torch.Generator()
        executable._probabilities(angles)
        executable._expectations(angles)
        executable._sample(angles, 3, generator)
        executable._ones(angles, 3, generator)
    print(json.dumps(compiled))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
