"""The engine `numba`: a compiled CPU kernel that runs a sample's whole circuit with its state in the L1 cache."""

from functools import cache, partial
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from qtrl.quantum.autograd import attach_gradient
from qtrl.quantum.checks import Capabilities, check_finite, import_package
from qtrl.quantum.circuit import Circuit
from qtrl.quantum.engine import Engine, Executable, uniform_draws
from qtrl.quantum.engines.cpu.threads import in_parts
from qtrl.quantum.gates import GATES

_PART = 2**18  # amplitudes times layers in one thread's unit of work: about a third of a millisecond

_NO_OUTPUTS: dict[str, np.ndarray] = {
    "probabilities": np.empty((0, 0), np.float32),
    "expectations": np.empty((0, 0), np.float32),
    "draws": np.empty((0, 0)),
    "samples": np.empty((0, 0), np.int64),
    "ones": np.empty((0, 0), np.float32),
}


class NumbaExecutable(Executable):
    """Runs the circuit as layers of RY rotations, phases and linear maps of the bits; see `lowering`."""

    def __init__(self, circuit: Circuit, engine: Engine) -> None:
        super().__init__(circuit, engine)
        from qtrl.quantum.engines.cpu.program import make_program

        self._program = make_program(circuit)
        self._rows_per_part = max(1, _PART // (len(self._program.maps) * 2**self._program.n_bits))

    def _probabilities(self, angles: Tensor) -> Tensor:
        return self._exact_values(angles, of_bits=False)

    def _expectations(self, angles: Tensor) -> Tensor:
        return self._exact_values(angles, of_bits=True)

    def _check_finite(self, angles: Tensor) -> None:
        """Leave it to the kernel, which checks every angle as it reads it."""

    def _sample(self, angles: Tensor, shots: int, generator: torch.Generator) -> Tensor:
        samples = np.empty((len(angles), shots), np.int64)
        self._run(angles, draws=uniform_draws(angles, shots, generator).numpy(), samples=samples)
        return torch.from_numpy(samples)

    def _ones(self, angles: Tensor, shots: int, generator: torch.Generator) -> Tensor:
        ones = np.empty((len(angles), self.circuit.n_qubits), np.float32)
        self._run(angles, draws=uniform_draws(angles, shots, generator).numpy(), ones=ones)
        return torch.from_numpy(ones)

    def _exact_values(self, angles: Tensor, *, of_bits: bool) -> Tensor:
        """Compute expectations (B, n) or else probabilities (B, 2**n), in float32."""
        width = self.circuit.n_qubits if of_bits else 2**self.circuit.n_qubits
        out = np.empty((len(angles), width), np.float32)
        self._run(angles, **{"expectations" if of_bits else "probabilities": out})
        if angles.requires_grad and torch.is_grad_enabled():  # a `Function` costs more than a sample
            return attach_gradient(angles, torch.from_numpy(out), partial(self._gradient, of_bits))
        return torch.from_numpy(out)

    def _gradient(self, of_bits: bool, angles: Tensor, grad_out: Tensor) -> Tensor:
        """Return the vector-Jacobian product (B, places) of exact values by the adjoint method, computed in float64."""
        rows, values = _rows(angles), grad_out.detach().float().contiguous().numpy()
        gradients = np.zeros(rows.shape)

        def work(part: slice) -> None:
            _kernel().gradient(self._program, rows[part], of_bits, values[part], gradients[part])

        in_parts(work, len(rows), self._rows_per_part)
        return torch.from_numpy(gradients).to(angles.dtype)

    def _run(self, angles: Tensor, **wanted: np.ndarray) -> None:
        rows, outputs = _rows(angles), (_NO_OUTPUTS | wanted).values()
        run = _kernel().run
        if len(rows) <= self._rows_per_part:  # keeps the overhead of a single sample small
            finite = run(self._program, rows, *outputs)
        else:
            bad: list[slice] = []

            def work(part: slice) -> None:
                if not run(self._program, rows[part], *(output[part] for output in outputs)):
                    bad.append(part)

            in_parts(work, len(rows), self._rows_per_part)
            finite = not bad
        if not finite:
            check_finite(angles)


@cache
def _kernel() -> ModuleType:
    """Import the kernel when it is first called: numba is slow to import."""
    from numba.core.event import register

    from qtrl.quantum.engines.compile_notice import CompilingNotice
    from qtrl.quantum.engines.cpu import kernel

    register("numba:compile", CompilingNotice(kernel.run, kernel.gradient))
    return kernel


def _rows(angles: Tensor) -> np.ndarray:
    plain = angles.detach() if angles.requires_grad else angles
    return np.ascontiguousarray(plain.numpy(), np.float64)


class NumbaEngine(Engine):
    """The fastest engine on CPUs, for one sample and for many, with exact gradients by the adjoint method.

    The first call of a process compiles the kernel or loads it from numba's cache. Probabilities are computed in single
    precision whatever the angles' dtype.
    """

    name = "numba"
    capabilities = Capabilities(
        frozenset(GATES), max_qubits=20, differentiable=True, double_precision=False, devices=frozenset({"cpu"})
    )

    def _build(self, circuit: Circuit) -> Executable:
        import_package("numba", "engine 'numba'", "numba")
        return NumbaExecutable(circuit, self)
