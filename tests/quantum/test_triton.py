"""The kernels of the engine `triton`: interpreted, compiled for GPUs that are not there, and run on one that is."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from circuit_strategies import angles_of, circuits
from hypothesis import given, settings
from hypothesis import strategies as st

from qtrl.errors import CircuitError, EngineError
from qtrl.quantum import GATES, READOUTS, Circuit, Gate, efficient_su2, make_engine
from qtrl.quantum.engines.triton import make_program

interpreted = pytest.mark.skipif(torch.cuda.is_available(), reason="kernels are compiled where there is a GPU")
on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def prepared(circuit):
    return [make_engine(name).prepare(circuit) for name in ("triton", "reference", "statevector")]


def random_angles(rows, circuit, dtype=torch.float32):
    return 6 * torch.rand(rows, circuit.n_angles, generator=torch.Generator().manual_seed(2), dtype=dtype) - 3


def gradient_of(engine, circuit, angles, method):
    leaf = angles.clone().requires_grad_()
    values = getattr(make_engine(engine).prepare(circuit), method)(leaf)
    weights = torch.randn(values.shape, generator=torch.Generator().manual_seed(3)).to(values)
    (values * weights).sum().backward()
    return leaf.grad


def assert_gradients_agree(circuit, angles):
    for method in ("expectations", "probabilities"):
        ours, expected = (gradient_of(name, circuit, angles, method) for name in ("triton", "statevector"))
        assert ours.dtype == angles.dtype and torch.allclose(ours, expected, rtol=0, atol=1e-5)


def every_gate(n_qubits):
    """Every gate of the table on several choices of qubits, with what lets each change the probabilities."""
    gates = [("ry", qubit) for qubit in range(n_qubits)]
    for shift, (name, spec) in enumerate(GATES.items()):
        gates.append((name, *((shift + qubit) % n_qubits for qubit in range(spec.n_qubits))))
    return Circuit.from_gates(n_qubits, [*gates, *(("rx", qubit) for qubit in range(n_qubits))])


@interpreted
@pytest.mark.parametrize("n_qubits", [1, 4])
@settings(max_examples=2, derandomize=True, deadline=None)
@given(data=st.data())
def test_circuits_of_every_gate_agree_with_the_reference(n_qubits, data):
    circuit = data.draw(circuits(n_qubits))
    angles = data.draw(angles_of(circuit, rows=2))
    ours, exact, _ = prepared(circuit)
    assert torch.allclose(ours.probabilities(angles), exact.probabilities(angles), rtol=0, atol=1e-5)
    assert torch.allclose(ours.expectations(angles), exact.expectations(angles), rtol=0, atol=1e-5)


@interpreted
@settings(max_examples=2, derandomize=True, deadline=None)
@given(data=st.data())
def test_gradients_of_circuits_of_every_gate_agree_with_the_engine_statevector(data):
    circuit = data.draw(circuits(3))
    assert_gradients_agree(circuit, data.draw(angles_of(circuit, rows=2)))


@interpreted
def test_gradients_where_angles_are_shared_fixed_and_unused():
    gates = (Gate("ry", (0,), (0,)), Gate("crx", (0, 1), (2,)), Gate("ry", (1,), (0,)), Gate("rzz", (0, 1), (3,)))
    circuit = Circuit(2, (*gates, Gate("rx", (0,), (3,))), constants=(0.4,), unused=(1,))
    assert_gradients_agree(circuit, random_angles(2, circuit))


@interpreted
def test_a_row_of_nan_spoils_no_other_gradient():
    executable, ones = make_engine("triton").prepare(efficient_su2(2, 1)), torch.ones(2, 2)
    angles = random_angles(2, executable.circuit)
    expected = executable._gradient(True, angles, ones)
    angles[0, 1] = torch.nan
    broken = executable._gradient(True, angles, ones)
    assert broken[0].isnan().any() and expected.isfinite().all() and torch.equal(broken[1], expected[1])


@interpreted
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_layered_circuit_agrees_with_the_reference_in_single_precision(dtype):
    circuit = efficient_su2(6, 2, entanglement="circular")
    angles = random_angles(2, circuit, dtype)
    ours, exact, _ = prepared(circuit)
    found = ours.probabilities(angles)
    assert found.dtype == dtype and torch.allclose(found, exact.probabilities(angles), rtol=0, atol=1e-6)


@interpreted
def test_large_angles_keep_single_precision():
    circuit = Circuit(1, (Gate("ry", (0,), (0,)), Gate("ry", (0,), (1,))))
    angles = torch.tensor([[1e6, 0.7], [-3e4, 3e4 + 1.0], [3e38, 3e38]], dtype=torch.float64)
    found = make_engine("triton").prepare(circuit).expectations(angles)
    assert torch.allclose(found[:2, 0], torch.sin(angles[:2].sum(dim=1) / 2) ** 2, atol=1e-6)
    assert 0 <= found[2] <= 1


@interpreted
@pytest.mark.parametrize("shots", [1, 130])
def test_equal_generators_draw_the_bits_that_the_engine_statevector_draws(shots):
    circuit = efficient_su2(3, 1)
    angles = random_angles(3, circuit)
    ours, _, other = prepared(circuit)
    bits, expected = (
        executable.sample(angles, shots, torch.Generator().manual_seed(4)) for executable in (ours, other)
    )
    assert torch.equal(bits, expected)
    assert torch.equal(ours.marginals(angles, shots, torch.Generator().manual_seed(4)), bits.mean(dim=1))


@interpreted
@pytest.mark.parametrize("name", READOUTS)
def test_a_basis_state_is_read_by_every_readout(name):
    executable = make_engine("triton").prepare(Circuit.from_gates(3, [("x", 0), ("cx", 0, 2)]))
    read = READOUTS[name](executable, torch.zeros(2, 0), 5, torch.Generator())
    assert torch.allclose(read, torch.tensor([[1.0, 0.0, 1.0]] * 2), atol=1e-6)


@interpreted
def test_rows_of_nan_give_nan_and_leave_the_others_alone():
    executable = make_engine("triton").prepare(Circuit.from_gates(2, [("ry", 0), ("x", 1)]))
    angles = torch.tensor([[torch.nan], [torch.pi]])
    assert executable._sample(angles, 3, torch.Generator()).tolist() == [[-1] * 3, [3] * 3]
    ones = executable._ones(angles, 3, torch.Generator())
    assert ones[0].isnan().all() and ones[1].tolist() == [3, 3]


@interpreted
def test_no_gates_constants_and_unused_angles():
    assert make_engine("triton").prepare(Circuit(1, ())).probabilities(torch.zeros(2, 0)).tolist() == [[1, 0]] * 2
    executable = make_engine("triton").prepare(Circuit(1, (Gate("ry", (0,), (1,)),), constants=(1.0,), unused=(0,)))
    expected = torch.sin(torch.tensor([[0.5], [0.5]])) ** 2
    assert torch.allclose(executable.expectations(torch.tensor([[7.0], [-3.0]])), expected)


@interpreted
def test_a_pickle_holds_no_copy_for_a_device_and_runs():
    executable = make_engine("triton").prepare(efficient_su2(2, 1))
    angles = random_angles(1, executable.circuit)
    before = pickle.dumps(executable)
    found = executable.probabilities(angles)
    assert len(pickle.dumps(executable)) == len(before)
    assert torch.equal(pickle.loads(before).probabilities(angles), found)


def test_a_program_of_a_circuit_by_hand():
    # Qubit 0 is bit 1. Layers: two turns; the first cx, a turn of bit 0 and the parity; a turn of bit 1; the last cx.
    gates = [("ry", 0), ("ry", 1), ("cx", 0, 1), ("ry", 1), ("rzz", 0, 1), ("ry", 0), ("cx", 1, 0)]
    program = make_program(Circuit.from_gates(2, gates))
    assert program.maps.tolist() == [-1, 0, -1, 1]
    assert program.sources[0].tolist() == [0, 1, 3, 2]
    assert program.sources[1].tolist() == [0, 3, 2, 1]
    assert (program.parity_masks.tolist(), program.parity_starts.tolist()) == ([3], [0, 0, 1, 1, 1])
    slots = program.turns.view(4, 2)
    assert (slots > 0).tolist() == [[True, True], [True, False], [False, True], [False, False]]
    assert program.places[0, slots[slots > 0]].tolist() == [1, 0, 2, 4]
    assert program.places[0, program.parity_slots].tolist() == [3]
    assert not program.phases.any() and not program.offsets.any()
    assert not program.factors[:, 0].any() and (program.factors[:, 1:] == 1).all()


def test_more_qubits_than_a_block_holds_are_refused():
    with pytest.raises(EngineError, match="holds at most 12 qubits, the circuit has 13"):
        make_engine("triton").prepare(Circuit(13, ()))


def test_angles_on_a_cpu_are_refused_where_nothing_interprets_the_kernels(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    executable = make_engine("triton").prepare(Circuit(1, ()))
    with pytest.raises(CircuitError, match="angles are on cpu, but engine 'triton' computes on cuda"):
        executable.probabilities(torch.zeros(1, 0))


def test_triton_absent_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    with pytest.raises(EngineError, match="cannot import triton .*: pip install triton"):
        make_engine("triton").prepare(Circuit(1, ()))


def shared_memory(tmp_path, *arguments):
    """Compile in a process of its own, since here the kernels are interpreted."""
    script = Path(__file__).with_name("compile_kernels.py")
    chosen = {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **chosen, "PYTHONPATH": str(script.parents[2])}
    command = [sys.executable, str(script), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_the_kernel_compiles_for_gpus_that_are_not_there(tmp_path):
    """For an A100, an H100 and a B200."""
    assert shared_memory(tmp_path, "80,90,100", "ones", 10) == {key: {"10": 8192} for key in ("80", "90", "100")}


@pytest.mark.slow
@pytest.mark.parametrize("capability", [75, 80, 90, 100, 120])
@pytest.mark.parametrize("kernel", ["probabilities", "expectations", "outcomes", "ones", "gradient"])
def test_every_kernel_compiles_for_every_size_and_fits_into_any_block(tmp_path, capability, kernel):
    sizes = range(1, 13)
    taken = shared_memory(tmp_path, capability, kernel, *sizes)[str(capability)]
    assert sorted(map(int, taken)) == list(sizes) and max(taken.values()) <= 48 * 1024


@pytest.mark.gpu
@on_a_gpu
@pytest.mark.parametrize("n_qubits", range(2, 13))
def test_every_gate_on_a_gpu_agrees_with_the_reference(n_qubits):
    circuit = every_gate(n_qubits)
    rows = 256 if n_qubits == 10 else 5
    angles = random_angles(rows, circuit)
    ours, exact, other = prepared(circuit)
    there = angles.cuda()
    checked = angles[:8]  # the reference goes row by row
    assert torch.allclose(ours.probabilities(there).cpu(), other.probabilities(angles), rtol=0, atol=1e-5)
    assert torch.allclose(ours.probabilities(there)[:8].cpu(), exact.probabilities(checked), rtol=0, atol=1e-5)
    assert torch.allclose(ours.expectations(there)[:8].cpu(), exact.expectations(checked), rtol=0, atol=1e-5)


@pytest.mark.gpu
@on_a_gpu
@pytest.mark.parametrize("n_qubits", range(2, 13))
def test_gradients_of_every_gate_on_a_gpu_agree_with_the_engine_statevector(n_qubits):
    circuit = every_gate(n_qubits)
    assert_gradients_agree(circuit, random_angles(256 if n_qubits == 10 else 5, circuit).cuda())


@pytest.mark.gpu
@on_a_gpu
def test_a_gpu_draws_what_the_engine_statevector_draws_there():
    circuit = efficient_su2(10, 10)
    angles = random_angles(256, circuit).cuda()
    ours, _, other = prepared(circuit)
    bits, expected = (
        executable.sample(angles, 300, torch.Generator("cuda").manual_seed(4)) for executable in (ours, other)
    )
    # Probabilities differ by rounding, so now and then a draw falls on a neighbour.
    assert (bits != expected).any(dim=-1).float().mean() < 1e-3
    marginals = ours.marginals(angles, 300, torch.Generator("cuda").manual_seed(4))
    assert torch.allclose(marginals, bits.mean(dim=1))
    angles[3, 5] = torch.nan
    assert ours.sample(angles, 2, torch.Generator("cuda")).isnan().flatten(1).any(dim=1).nonzero().tolist() == [[3]]
