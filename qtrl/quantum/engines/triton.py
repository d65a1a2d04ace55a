"""The engine `triton`: one GPU kernel for each batch, for gradients too (package triton)."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import chain
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from qtrl.quantum.autograd import attach_gradient
from qtrl.quantum.checks import Capabilities, import_package
from qtrl.quantum.circuit import Circuit
from qtrl.quantum.engine import Engine, Executable, uniform_draws
from qtrl.quantum.engines.lowering import images_of, lower, tabulate
from qtrl.quantum.engines.steps import Affine
from qtrl.quantum.gates import GATES

_AMPLITUDES_PER_THREAD = 8


class Program(NamedTuple):
    """Layers and the angles that their steps take from *slots*, each the sum of a constant and of scaled angles.

    The first slot is the angle 0. It stands where a layer has no turn or no phase on a bit, so that kernels need no
    branch there.

    Shapes: `L` layers, `M` different maps, `K` slots, `T` terms in the longest slot, `E` parities of several bits, `n`
    qubits, `N` = 2**n.
    """

    offsets: Tensor  # (K) constants of the slots
    places: Tensor  # (T, K) the angle of each term
    factors: Tensor  # (T, K) its factor; 0 where a slot has no such term
    maps: Tensor  # (L) the map of each layer, -1 for none
    sources: Tensor  # (M, N) where the amplitude at each place comes from
    images: Tensor  # (M, N) where it goes
    turns: Tensor  # (L * n) slot of the turn of each bit
    phases: Tensor  # (L * n) slot of the phase of each single bit
    parity_starts: Tensor  # (L + 1) where the parities of each layer begin
    parity_masks: Tensor  # (E) bits of each parity
    parity_slots: Tensor  # (E) its slot


def make_program(circuit: Circuit) -> Program:
    """Compile a circuit, with tensors on the CPU."""
    tables = tabulate(lower(circuit), circuit.n_qubits, idle=[Affine()])
    longest = max(len(angle.terms) for angle in tables.angles)
    terms = [angle.terms + ((0, 0.0),) * (longest - len(angle.terms)) for angle in tables.angles]
    factors = torch.tensor([[factor for _, factor in row] for row in terms], dtype=torch.float64)
    return Program(
        offsets=torch.tensor([angle.offset for angle in tables.angles], dtype=torch.float64),
        places=_ints([[place for place, _ in row] for row in terms]).T.contiguous(),
        factors=factors.T.contiguous(),
        maps=_ints(tables.maps),
        sources=_ints([images.argsort().tolist() for images in map(images_of, tables.matrices)]),
        images=_ints([images_of(matrix).tolist() for matrix in tables.matrices]),
        turns=_ints(list(chain.from_iterable(tables.turns))),
        phases=_ints(list(chain.from_iterable(tables.phases))),
        parity_starts=_ints(tables.parity_starts),
        parity_masks=_ints(tables.parity_masks),
        parity_slots=_ints(tables.parity_slots),
    )


def _ints(values: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
    return torch.tensor(values, dtype=torch.int32)


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
        return self._with_gradient(angles, self._launch(_kernels().probabilities, angles, out), of_bits=False)

    def _expectations(self, angles: Tensor) -> Tensor:
        out = angles.new_empty(len(angles), self.circuit.n_qubits, dtype=torch.float32)
        return self._with_gradient(angles, self._launch(_kernels().expectations, angles, out), of_bits=True)

    def _sample(self, angles: Tensor, shots: int, generator: torch.Generator) -> Tensor:
        out = angles.new_empty(len(angles), shots, dtype=torch.long)
        return self._launch(_kernels().outcomes, angles, out, uniform_draws(angles, shots, generator), shots)

    def _ones(self, angles: Tensor, shots: int, generator: torch.Generator) -> Tensor:
        out = angles.new_empty(len(angles), self.circuit.n_qubits, dtype=torch.float64)
        return self._launch(_kernels().ones, angles, out, uniform_draws(angles, shots, generator), shots)

    def _with_gradient(self, angles: Tensor, out: Tensor, *, of_bits: bool) -> Tensor:
        wanted = angles.requires_grad and torch.is_grad_enabled()
        return attach_gradient(angles, out, partial(self._gradient, of_bits)) if wanted else out

    def _gradient(self, of_bits: bool, angles: Tensor, grad_out: Tensor) -> Tensor:
        """Return the vector-Jacobian product (B, places) of exact values by the adjoint method."""
        program = self._program_on(angles.device)
        slopes = angles.new_empty(len(angles), len(program.offsets), dtype=torch.float32)
        self._launch(_gradients().gradient, angles, slopes, grad_out.float().contiguous(), OF_BITS=of_bits)
        gradient = torch.zeros_like(angles, dtype=torch.float64)
        for places, factors in zip(program.places[:, 1:], program.factors[:, 1:], strict=True):
            gradient.index_add_(1, places, slopes[:, 1:] * factors)
        return gradient.to(angles.dtype)

    def _program_on(self, device: torch.device) -> Program:
        if device not in self._copies:
            self._copies[device] = Program(*(table.to(device) for table in self._program))
        return self._copies[device]

    def _launch(self, kernel: Any, angles: Tensor, out: Tensor, *given: Any, **constants: Any) -> Tensor:
        """Let a kernel fill `out` and return it."""
        program = self._program_on(angles.device)
        n_terms, n_slots = program.places.shape
        sizes = (angles.shape[1], n_slots, n_terms, len(program.maps))
        sines = angles.new_empty(len(angles), 2, n_slots, dtype=torch.float32)
        n_warps = max(1, 2**self.circuit.n_qubits // (32 * _AMPLITUDES_PER_THREAD))
        with torch.cuda.device_of(angles):  # Triton launches on the current device
            arguments = (out, *given, angles.detach().contiguous(), program, sines, *sizes)
            kernel[(len(angles),)](*arguments, **constants, QUBITS=self.circuit.n_qubits, num_warps=n_warps)
        return out


@cache
def _kernels() -> ModuleType:
    """Import the kernels when the first one is launched: Triton is an optional package."""
    from qtrl.quantum.engines.gpu import kernel

    return kernel


@cache
def _gradients() -> ModuleType:
    from qtrl.quantum.engines.gpu import adjoint

    return adjoint


class TritonEngine(Engine):
    """One kernel launch for each batch, on a GPU; the state stays in registers and shared memory.

    A thread block has to hold the state: 12 qubits are 8 amplitudes in each of 512 threads, and a vector of
    double-precision sums over them takes 32 of the 48 KiB of shared memory that every CUDA device gives a block.

    With `TRITON_INTERPRET=1` in the environment Triton's interpreter runs the kernels on a CPU, slowly, for tests.
    """

    name, package = "triton", "triton"
    capabilities = Capabilities(
        frozenset(GATES), max_qubits=12, differentiable=True, double_precision=False, devices=frozenset({"cuda"})
    )

    def _build(self, circuit: Circuit) -> Executable:
        triton = import_package("triton", "engine 'triton'", "triton")
        executable = TritonExecutable(circuit, self)
        if triton.knobs.runtime.interpret:
            executable.capabilities = replace(self.capabilities, devices=self.capabilities.devices | {"cpu"})
        return executable
