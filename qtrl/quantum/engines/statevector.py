"""The engine `statevector`: batched state vectors in plain torch, a few large operations for each column of gates.

Shapes: `B` batch, `P` angles, `n` qubits, `C` columns, `G` groups of `g` qubits each (see `fusion`), `d` = 2**g.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from qtrl.quantum.checks import Capabilities
from qtrl.quantum.circuit import Circuit
from qtrl.quantum.engine import Engine, Executable
from qtrl.quantum.engines.fusion import Column, Depth, Permutation, Phases, Plan, Single, make_plan
from qtrl.quantum.gates import GATES

_CPU_BYTES = 2**24  # for one part of a batch: what fits into the caches
_ACCELERATOR_BYTES = 2**30  # a small part of the device's memory


class StatevectorExecutable(Executable):
    """Makes the matrices of all columns at once, then alternates products with permutations of the state."""

    def __init__(self, circuit: Circuit, engine: Engine) -> None:
        super().__init__(circuit, engine)
        self._plans: dict[torch.device, Plan] = {}
        self._plan(torch.device("cpu"))

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_plans": {}}  # made again on the device where the copy runs

    def _plan(self, device: torch.device) -> Plan:
        if device not in self._plans:
            with torch.inference_mode(False):  # tensors made in inference mode could not be used for gradients later
                self._plans[device] = make_plan(self.circuit, device)
        return self._plans[device]

    def _probabilities(self, angles: Tensor) -> Tensor:
        plan = self._plan(angles.device)
        complex_numbers = 2 * plan.n_columns * len(plan.groups) * 4**plan.width + 4 * 2**self.circuit.n_qubits
        budget = _CPU_BYTES if angles.device.type == "cpu" else _ACCELERATOR_BYTES
        rows = max(1, budget // (complex_numbers * 2 * angles.element_size()))
        states = torch.cat([_run(plan, part, self.circuit.n_qubits) for part in angles.split(rows)])
        return torch.view_as_real(states).square().sum(dim=-1)


class StatevectorEngine(Engine):
    """Fast for layered circuits such as `efficient_su2`, from one sample to thousands, on a CPU or an accelerator.

    Gates of two qubits other than `cx`, `swap`, `cz`, `crz` and `rzz` are not fused. An accelerator is never
    synchronized; the first call with angles on it copies index tensors, later ones can be captured into a CUDA graph.
    """

    name = "statevector"
    capabilities = Capabilities(frozenset(GATES), max_qubits=20, differentiable=True, double_precision=True)

    def _build(self, circuit: Circuit) -> Executable:
        return StatevectorExecutable(circuit, self)


def _run(plan: Plan, angles: Tensor, n_qubits: int) -> Tensor:
    """Run the steps on |0...0> for angles (B, P) and return the states (B, 2**n)."""
    batch = len(angles)
    columns = _column_matrices(plan, angles)
    state: Tensor | None = None
    for step in plan.steps:
        if isinstance(step, Column):
            state = (
                _product_state(columns[step.position]) if state is None else _apply_column(state, step, plan, columns)
            )
            continue
        state = _zero_state(angles, n_qubits) if state is None else state
        if isinstance(step, Permutation):
            state = state.gather(1, step.sources.expand(batch, -1))
        elif isinstance(step, Phases):
            # A product in double precision is never rounded to TF32.
            chosen = angles.index_select(1, step.angles).double()
            phases = torch.addmm(step.offsets, chosen, step.weights).to(angles.dtype)
            state = state * torch.complex(torch.cos(phases), torch.sin(phases))
        else:
            state = _apply_gate(state, step, angles, n_qubits)
    return _zero_state(angles, n_qubits) if state is None else state


def _zero_state(angles: Tensor, n_qubits: int) -> Tensor:
    return F.pad(angles.new_ones(len(angles), 1, dtype=angles.dtype.to_complex()), (0, 2**n_qubits - 1))


def _column_matrices(plan: Plan, angles: Tensor) -> list[list[Tensor]]:
    """Return for each column the matrices (B, 2**size, 2**size) of its groups."""
    if not plan.depths:
        return []
    n_groups = len(plan.groups)
    product = _depth_matrices(plan.depths[0], angles)  # (B, C * G * g, 2, 2)
    for depth in plan.depths[1:]:
        product = _multiply(_depth_matrices(depth, angles), product)
    factors = product.unflatten(1, (plan.n_columns, n_groups, plan.width))
    joined = _kronecker(factors).flatten(1, 2).unbind(1)  # C * G times (B, d, d)
    sizes = [size for _, size in plan.groups] * plan.n_columns
    narrowed = [m if size == plan.width else m[:, : 2**size, : 2**size] for m, size in zip(joined, sizes, strict=True)]
    return [narrowed[start : start + n_groups] for start in range(0, len(narrowed), n_groups)]


def _depth_matrices(depth: Depth, angles: Tensor) -> Tensor:
    batch = len(angles)
    pool = []
    for family in depth.families:
        gate = GATES[family.name]
        pool.append(gate.matrix(angles.index_select(1, family.angles).view(batch, family.n_gates, gate.n_angles)))
    if depth.slots is None:
        return torch.cat(pool, dim=1) if len(pool) > 1 else pool[0]
    identity = torch.eye(2, dtype=pool[0].dtype, device=angles.device).expand(batch, 1, 2, 2)
    return torch.cat([*pool, identity], dim=1).index_select(1, depth.slots)


def _multiply(a: Tensor, b: Tensor) -> Tensor:
    """Multiply 2x2 matrices (..., 2, 2) elementwise: much faster than `matmul`, which goes matrix by matrix."""
    return a[..., :, 0, None] * b[..., None, 0, :] + a[..., :, 1, None] * b[..., None, 1, :]


def _kronecker(factors: Tensor) -> Tensor:
    """Join the g factors (..., g, 2, 2) into (..., d, d), the first factor acting on the most significant bit."""
    width = factors.shape[-3]
    if width == 1:
        return factors.squeeze(-3)
    high, low = _kronecker(factors[..., : width // 2, :, :]), _kronecker(factors[..., width // 2 :, :, :])
    joined = high[..., :, None, :, None] * low[..., None, :, None, :]
    return joined.flatten(-4, -3).flatten(-2, -1)


def _product_state(matrices: list[Tensor]) -> Tensor:
    """Act on |0...0>, where only the first column of each matrix counts."""
    state, *others = (matrix[:, :, 0] for matrix in matrices)
    for other in others:
        state = (state[:, :, None] * other[:, None, :]).flatten(1)
    return state


def _apply_column(state: Tensor, column: Column, plan: Plan, columns: list[list[Tensor]]) -> Tensor:
    batch, length = state.shape
    for group in column.active:
        low, size = plan.groups[group]
        matrix = columns[column.position][group]
        before, after = 2**low, length // 2 ** (low + size)
        if before == 1:
            state = torch.bmm(matrix, state.view(batch, 2**size, after))
        elif after == 1:
            state = torch.bmm(state.view(batch, before, 2**size), matrix.mT)
        else:
            state = matrix.unsqueeze(1) @ state.view(batch, before, 2**size, after)
        state = state.reshape(batch, length)
    return state


def _apply_gate(state: Tensor, gate: Single, angles: Tensor, n_qubits: int) -> Tensor:
    batch, length = state.shape
    matrix = GATES[gate.name].matrix(angles.index_select(1, gate.angles))
    dims, front = [qubit + 1 for qubit in gate.qubits], [1, 2]
    moved = state.view(batch, *[2] * n_qubits).movedim(dims, front)
    applied = torch.bmm(matrix, moved.reshape(batch, matrix.shape[-1], -1))
    return applied.view(moved.shape).movedim(front, dims).reshape(batch, length)
