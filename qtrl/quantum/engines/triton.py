"""The engine `triton`: one GPU kernel for collection, sampling and tests, without gradients (package triton)."""

from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from qtrl.quantum.checks import Capabilities, import_package
from qtrl.quantum.circuit import Circuit
from qtrl.quantum.engine import Engine, Executable
from qtrl.quantum.engines.gpu.program import Program, make_program
from qtrl.quantum.gates import GATES

_AMPLITUDES_PER_THREAD = 8


class TritonExecutable(Executable):
    """Launches one kernel for each batch. One block of threads takes each row from its angles to the outcome."""

    def __init__(self, circuit: Circuit, engine: Engine) -> None:
        super().__init__(circuit, engine)
        self._program = make_program(circuit)
        self._copies: dict[torch.device, Program] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_copies": {}}

    def _probabilities(self, angles: Tensor) -> Tensor:
        out = angles.new_empty(len(angles), 2**self.circuit.n_qubits, dtype=torch.float32)
        return self._launch(_kernels().probabilities, angles, out)

    def _expectations(self, angles: Tensor) -> Tensor:
        out = angles.new_empty(len(angles), self.circuit.n_qubits, dtype=torch.float32)
        return self._launch(_kernels().expectations, angles, out)

    def _sample(self, angles: Tensor, shots: int, generator: torch.Generator) -> Tensor:
        out = angles.new_empty(len(angles), shots, dtype=torch.long)
        return self._launch(_kernels().outcomes, angles, out, _draws(angles, shots, generator), shots)

    def _ones(self, angles: Tensor, shots: int, generator: torch.Generator) -> Tensor:
        out = angles.new_empty(len(angles), self.circuit.n_qubits, dtype=torch.float64)
        return self._launch(_kernels().ones, angles, out, _draws(angles, shots, generator), shots)

    def _launch(self, kernel: Any, angles: Tensor, out: Tensor, *drawn: Any) -> Tensor:
        """Let a kernel fill `out` and return it."""
        if angles.device not in self._copies:
            self._copies[angles.device] = self._program.to(angles.device)
        program = self._copies[angles.device]
        n_terms, n_slots = program.places.shape
        sizes = (angles.shape[1], n_slots, n_terms, len(program.maps))
        sines = angles.new_empty(len(angles), 2, n_slots, dtype=torch.float32)
        n_warps = max(1, 2**self.circuit.n_qubits // (32 * _AMPLITUDES_PER_THREAD))
        with torch.cuda.device_of(angles):  # Triton launches on the current device
            given = (out, *drawn, angles.detach().contiguous(), program, sines, *sizes)
            kernel[(len(angles),)](*given, QUBITS=self.circuit.n_qubits, num_warps=n_warps)
        return out


@cache
def _kernels() -> ModuleType:
    """Import the kernels when the first one is launched: Triton is an optional package."""
    from qtrl.quantum.engines.gpu import kernel

    return kernel


def _draws(angles: Tensor, shots: int, generator: torch.Generator) -> Tensor:
    return torch.rand(len(angles), shots, dtype=torch.float64, device=angles.device, generator=generator)


class TritonEngine(Engine):
    """One kernel launch for each batch, on a GPU; the state stays in registers and shared memory. Not differentiable.

    A thread block has to hold the state: 12 qubits are 8 amplitudes in each of 512 threads, and a vector of
    double-precision sums over them takes 32 of the 48 KiB of shared memory that every CUDA device gives a block.

    With `TRITON_INTERPRET=1` in the environment Triton's interpreter runs the kernels on a CPU, slowly, for tests.
    """

    name = "triton"
    capabilities = Capabilities(
        frozenset(GATES), max_qubits=12, differentiable=False, double_precision=False, devices=frozenset({"cuda"})
    )

    def _build(self, circuit: Circuit) -> Executable:
        triton = import_package("triton", "engine 'triton'", "triton")
        executable = TritonExecutable(circuit, self)
        if triton.knobs.runtime.interpret:
            executable.capabilities = replace(self.capabilities, devices=self.capabilities.devices | {"cpu"})
        return executable
