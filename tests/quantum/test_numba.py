"""What the contract of engines does not say: large and special angles, threads, the compiled program."""

import math
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from qtrl.errors import CircuitError
from qtrl.quantum import Circuit, efficient_su2, make_engine
from qtrl.quantum.engines.cpu import threads
from qtrl.quantum.engines.cpu.program import NUMBERS, VECTORS, make_program


def executables(circuit):
    return make_engine("numba").prepare(circuit), make_engine("statevector").prepare(circuit)


def uniform(rows, circuit, scale, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return scale * (2 * torch.rand(rows, circuit.n_angles, generator=generator, dtype=torch.float64) - 1)


@pytest.mark.parametrize("scale", [1e-6, math.pi, 100.0, 1e5, 1e9])
@pytest.mark.parametrize("entanglement", ["linear", "circular"])
def test_angles_of_any_size_agree_with_double_precision(scale, entanglement):
    circuit = efficient_su2(7, 3, ("ry", "rz", "rx"), entanglement)
    ours, exact = executables(circuit)
    angles = uniform(3, circuit, scale)
    assert torch.allclose(ours.probabilities(angles), exact.probabilities(angles), rtol=0, atol=1e-5)


@pytest.mark.parametrize("quarter_turns", range(-4, 9))
def test_multiples_of_a_quarter_turn_are_exact_reductions(quarter_turns):
    circuit = efficient_su2(6, 2, ("ry", "rz", "rx"))
    ours, exact = executables(circuit)
    angles = torch.full((1, circuit.n_angles), quarter_turns * math.pi / 2, dtype=torch.float64)
    angles += uniform(1, circuit, 1e-3)
    assert torch.allclose(ours.probabilities(angles), exact.probabilities(angles), rtol=0, atol=1e-5)
    assert torch.allclose(ours.expectations(angles), exact.expectations(angles), rtol=0, atol=1e-5)


@pytest.mark.parametrize("n_qubits", [13, 14, 15, 16, 20])
def test_large_states_agree_with_torch(n_qubits):
    circuit = efficient_su2(n_qubits, 1, entanglement="circular")
    ours, exact = executables(circuit)
    angles = uniform(1, circuit, 3.0).float()
    assert torch.allclose(ours.probabilities(angles), exact.probabilities(angles), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("entanglement", "kind"), [("linear", VECTORS), ("full", VECTORS), ("circular", NUMBERS), ("sca", NUMBERS)]
)
def test_entanglement_from_high_to_low_bits_moves_whole_vectors(entanglement, kind):
    program = make_program(efficient_su2(8, 2, entanglement=entanglement))
    assert set(program.kinds.tolist()) == {kind}
    for source, target in zip(program.sources, program.targets, strict=True):
        assert np.array_equal(source[target], np.arange(256))


def test_equal_maps_are_stored_once():
    assert len(make_program(efficient_su2(10, 10)).sources) == 1


def test_threads_change_nothing():
    circuit = efficient_su2(10, 10)
    ours, _ = executables(circuit)
    ours._rows_per_part = 3
    angles = uniform(20, circuit, 3.0).float().requires_grad_()
    before = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            expectations = ours.expectations(angles)
            (gradient,) = torch.autograd.grad(expectations.sum(), angles)
            bits = ours.sample(angles, 5, torch.Generator().manual_seed(0))
            results.append((expectations, gradient, bits))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_parts_cover_all_rows_once_and_stay_within_torchs_threads():
    before, seen, used = torch.get_num_threads(), [], set()
    try:
        for count, n_parts in ((1, 4), (3, 6)):  # rounds in which every thread has a part of at most 5
            torch.set_num_threads(count)
            seen.clear()
            used.clear()
            threads.in_parts(lambda part: (seen.append(part), used.add(threading.get_ident())), 17, 5)
            assert sorted(row for part in seen for row in range(17)[part]) == list(range(17))
            assert len(seen) == n_parts and len(used) <= count
    finally:
        torch.set_num_threads(before)


def test_an_error_in_any_part_reaches_the_caller():
    circuit = efficient_su2(6, 1)
    ours, _ = executables(circuit)
    ours._rows_per_part = 2
    angles = uniform(9, circuit, 1.0)
    angles[7, 3] = math.nan
    for row in (7, 0):
        angles[row, 3] = math.nan
        with pytest.raises(CircuitError, match=f"angle 3 of sample {row} is nan"):
            ours.probabilities(angles)


def test_a_second_derivative_is_refused():
    circuit = efficient_su2(3, 1)
    ours, _ = executables(circuit)
    angles = uniform(1, circuit, 1.0).requires_grad_()
    (gradient,) = torch.autograd.grad(ours.expectations(angles).square().sum(), angles, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_a_draw_close_to_one_falls_on_a_state_that_can_occur():
    ours, _ = executables(Circuit.from_gates(3, [("ry", 0)]))
    bits = ours.sample(torch.full((1, 1), math.pi / 2), 4000, torch.Generator().manual_seed(3))
    assert not bits[..., 1:].any() and 0.4 < bits[..., 0].mean() < 0.6


@pytest.mark.parametrize("angle", [math.pi / 2 - 1e-3, None])
@pytest.mark.parametrize(("n_qubits", "reps"), [(4, 60), (6, 100), (10, 16)])
def test_deep_circuits_without_phases_stay_in_range(n_qubits, reps, angle):
    circuit = efficient_su2(n_qubits, reps, ("ry",))
    ours, exact = executables(circuit)
    angles = uniform(2, circuit, 3.0) if angle is None else torch.full((2, circuit.n_angles), angle).double()
    angles.requires_grad_()
    results = []
    for executable in (ours, exact):
        expectations = executable.expectations(angles)
        (gradient,) = torch.autograd.grad(expectations[:, 0].sum(), angles)
        results.append((expectations, gradient))
    for found, expected in zip(*results, strict=True):
        assert torch.allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["NUMBA_CPU_NAME=generic", "NUMBA_ENABLE_AVX=0"])
def test_it_runs_on_processors_without_avx2(setting, tmp_path):
    name, value = setting.split("=")
    code = """if True:
        import torch
        from qtrl.quantum import efficient_su2, make_engine
        circuit = efficient_su2(7, 2)
        angles = torch.randn(2, circuit.n_angles)
        ours, exact = (make_engine(name).prepare(circuit) for name in ("numba", "statevector"))
        assert torch.allclose(ours.expectations(angles), exact.expectations(angles), atol=1e-5)
    """
    environment = os.environ | {name: value, "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
