import copy
import math
import multiprocessing
import pickle
from collections import Counter

import pytest
import torch
from engines_on_cpu import CONTRACTED, EXACT
from torch import nn

from qtrl.errors import CircuitError, EngineError
from qtrl.quantum import (
    GATES,
    READOUTS,
    Circuit,
    Executable,
    Gate,
    check_exact,
    efficient_su2,
    make_engine,
    mean_readout,
)
from qtrl.quantum.gradients import exact_expectations, parameter_shift, spsa

BELL = Circuit.from_gates(2, [("h", 0), ("cx", 0, 1)])


@pytest.fixture(params=CONTRACTED)
def engine(request):
    return CONTRACTED[request.param]()


@pytest.fixture(params=EXACT)
def exact_engine(request):
    return CONTRACTED[request.param]()


def random_angles(rows, circuit, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return 6 * torch.rand(rows, circuit.n_angles, generator=generator, dtype=dtype) - 3


def random_circuit(n_qubits, n_gates, seed):
    generator = torch.Generator().manual_seed(seed)
    names = [name for name, gate in GATES.items() if gate.n_qubits <= n_qubits]
    gates = []
    for _ in range(n_gates):
        name = names[torch.randint(len(names), (), generator=generator)]
        gates.append((name, *torch.randperm(n_qubits, generator=generator)[: GATES[name].n_qubits].tolist()))
    return Circuit.from_gates(n_qubits, gates)


def tolerance(executable, dtype):
    single = dtype == torch.float32 or not executable.capabilities.double_precision
    return 1e-5 if single else 1e-10


def expected_by_hand(name, angles, product):
    """Act with one gate of the table on qubits (2, 0) of three, by summing over indices."""
    spec = GATES[name]
    matrix = spec.matrix(angles).reshape([2] * (2 * spec.n_qubits))
    state = torch.einsum("a,b,c->abc", *product)
    spelled = {1: "xc,abc->abx", 2: "yxca,abc->xby"}[spec.n_qubits]  # first listed qubit is 2, second is 0
    return torch.einsum(spelled, matrix, state).flatten().abs() ** 2


def test_bell_state_reads_00_or_11(exact_engine):
    probabilities = exact_engine.prepare(BELL).probabilities(torch.zeros(1, 0))
    assert torch.allclose(probabilities, torch.tensor([[0.5, 0, 0, 0.5]]), atol=1e-6)


def test_ghz_state_of_five_qubits_samples_all_equal_bits(engine):
    circuit = Circuit.from_gates(5, [("h", 2), ("cx", 2, 1), ("cx", 1, 0), ("cx", 2, 3), ("cx", 3, 4)])
    bits = engine.prepare(circuit).sample(torch.zeros(2, 0), 50, torch.Generator().manual_seed(1))
    assert bits.shape == (2, 50, 5)
    assert set(bits.sum(dim=-1).unique().tolist()) == {0.0, 5.0}


@pytest.mark.parametrize("name", GATES)
def test_every_gate_acts_as_its_matrix_on_a_random_product_state(exact_engine, name):
    spec = GATES[name]
    prelude = [Gate("u3", (qubit,), tuple(range(3 * qubit, 3 * qubit + 3))) for qubit in range(3)]
    places = tuple(range(9, 9 + spec.n_angles))
    # The last column turns phases into probabilities.
    tail = [Gate("h", (qubit,)) for qubit in range(3)]
    circuit = Circuit(3, (*prelude, Gate(name, (2, 0)[: spec.n_qubits], places)))
    angles = random_angles(1, circuit, seed=sum(map(ord, name)))
    product = [GATES["u3"].matrix(angles[0, 3 * q : 3 * q + 3])[:, 0] for q in range(3)]
    executable = exact_engine.prepare(circuit)
    by_hand = expected_by_hand(name, angles[0, 9:], product)
    assert torch.allclose(executable.probabilities(angles)[0], by_hand, atol=tolerance(executable, angles.dtype))
    with_phases = Circuit(3, circuit.gates + tuple(tail))
    exact = make_engine("reference").prepare(with_phases).probabilities(angles)
    executable = exact_engine.prepare(with_phases)
    assert torch.allclose(executable.probabilities(angles), exact, atol=tolerance(executable, angles.dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_qubits", [1, 2, 3, 4, 5, 6])
def test_random_circuits_of_all_gates_agree_with_the_reference(exact_engine, n_qubits, dtype):
    circuit = random_circuit(n_qubits, n_gates=40, seed=n_qubits)
    angles = random_angles(3, circuit, seed=0, dtype=dtype)
    executable = exact_engine.prepare(circuit)
    exact = make_engine("reference").prepare(circuit)
    found, expectations = executable.probabilities(angles), executable.expectations(angles)
    assert found.dtype == expectations.dtype == dtype
    assert torch.allclose(found, exact.probabilities(angles), rtol=0, atol=tolerance(executable, dtype))
    assert torch.allclose(expectations, exact.expectations(angles), rtol=0, atol=tolerance(executable, dtype))


@pytest.mark.parametrize("entanglement", ["linear", "circular", "sca"])
def test_layered_circuits_of_several_qubit_groups_agree_with_the_reference(exact_engine, entanglement):
    circuit = efficient_su2(7, 2, entanglement=entanglement)
    angles = random_angles(2, circuit, seed=3)
    executable = exact_engine.prepare(circuit)
    exact = make_engine("reference").prepare(circuit).probabilities(angles)
    assert torch.allclose(executable.probabilities(angles), exact, rtol=0, atol=tolerance(executable, angles.dtype))


def test_expectations_are_the_probabilities_of_reading_1_with_qubit_0_first(exact_engine):
    circuit = Circuit.from_gates(3, [("ry", 0), ("x", 2)])
    expectations = exact_engine.prepare(circuit).expectations(torch.tensor([[1.0], [2.0]]))
    sines = torch.sin(torch.tensor([0.5, 1.0])) ** 2
    assert torch.allclose(expectations, torch.stack([sines, torch.zeros(2), torch.ones(2)], dim=1), atol=1e-6)
    assert expectations.max() <= 1


def test_gates_may_share_an_angle(exact_engine):
    circuit = Circuit(2, (Gate("ry", (0,), (0,)), Gate("ry", (1,), (0,)), Gate("crx", (0, 1), (1,))))
    separate = Circuit.from_gates(2, [("ry", 0), ("ry", 1), ("crx", 0, 1)])
    shared = exact_engine.prepare(circuit).probabilities(torch.tensor([[0.4, 1.1]]))
    assert torch.allclose(
        shared, exact_engine.prepare(separate).probabilities(torch.tensor([[0.4, 0.4, 1.1]])), atol=1e-6
    )


def test_a_batch_equals_its_rows_one_by_one(exact_engine):
    circuit = random_circuit(4, n_gates=30, seed=9)
    angles = random_angles(5, circuit, seed=2, dtype=torch.float32)
    executable = exact_engine.prepare(circuit)
    rows = torch.cat([executable.probabilities(row[None]) for row in angles])
    assert torch.allclose(executable.probabilities(angles), rows, atol=1e-6)


def test_an_empty_batch_gives_empty_results(engine):
    executable = engine.prepare(efficient_su2(2, 1))
    angles = torch.zeros(0, 8)
    assert executable.sample(angles, 3, torch.Generator()).shape == (0, 3, 2)
    assert executable.marginals(angles, 3, torch.Generator()).shape == (0, 2)
    if engine.capabilities.exact:
        assert executable.probabilities(angles).shape == (0, 4)
        assert executable.expectations(angles).shape == (0, 2)


def test_an_empty_batch_has_an_empty_gradient(exact_engine):
    executable = exact_engine.prepare(efficient_su2(2, 1))
    angles = torch.zeros(0, 8, requires_grad=True)
    if executable.capabilities.differentiable:
        executable.expectations(angles).sum().backward()
        assert angles.grad.shape == (0, 8)


def test_a_circuit_without_gates_stays_in_the_zero_state(exact_engine):
    probabilities = exact_engine.prepare(Circuit(2, ())).probabilities(torch.zeros(3, 0))
    assert torch.equal(probabilities, torch.eye(4)[:1].expand(3, 4))


@pytest.mark.parametrize("shape", [(8,), (3, 7), (3, 9), (1, 3, 8)])
def test_angles_of_another_shape_are_refused_with_both_shapes(engine, shape):
    executable = engine.prepare(efficient_su2(2, 1))
    with pytest.raises(CircuitError) as refused:
        executable.marginals(torch.zeros(shape), 1, torch.Generator())
    assert str(shape) in str(refused.value) and "(B, 8)" in str(refused.value)


@pytest.mark.parametrize("dtype", [torch.int64, torch.float16, torch.complex64])
def test_angles_of_another_dtype_are_refused(engine, dtype):
    with pytest.raises(CircuitError, match=f"{dtype}, expected torch.float32 or torch.float64"):
        engine.prepare(efficient_su2(1, 0)).sample(torch.zeros(1, 2, dtype=dtype), 1, torch.Generator())


@pytest.mark.parametrize("shots", [0, -3])
def test_fewer_than_one_shot_is_refused(engine, shots):
    with pytest.raises(CircuitError, match=f"shots is {shots}, expected at least 1"):
        engine.prepare(BELL).sample(torch.zeros(1, 0), shots, torch.Generator())


def test_angles_that_are_not_finite_are_refused(engine):
    executable = engine.prepare(efficient_su2(1, 0))
    angles = torch.tensor([[0.0, 1.0], [0.0, float("nan")], [float("inf"), 0.0]])
    exact = (executable.probabilities, executable.expectations) if engine.capabilities.exact else ()
    for call in (lambda angles: executable.sample(angles, 1, torch.Generator()), *exact):
        with pytest.raises(CircuitError, match="angle 1 of sample 1 is nan, expected finite radians; 2 of 3 samples"):
            call(angles)


def test_large_finite_angles_are_no_nan(exact_engine):
    angles = torch.full((1, 2), 3e38)
    assert torch.isfinite(exact_engine.prepare(efficient_su2(1, 0)).probabilities(angles)).all()


def test_a_result_larger_than_the_memory_is_refused_before_it_is_allocated(exact_engine):
    executable = exact_engine.prepare(Circuit(12, ()))
    with pytest.raises(CircuitError, match="the result takes 32 PiB, this machine has .* cut the batch"):
        executable.probabilities(torch.zeros(2**40, 0, dtype=torch.float64))


def test_marginals_are_the_means_of_the_samples_of_an_equal_generator(engine):
    circuit = random_circuit(4, n_gates=30, seed=3)
    angles = random_angles(3, circuit, seed=1, dtype=torch.float32)
    executable = engine.prepare(circuit)
    bits = executable.sample(angles, 64, torch.Generator().manual_seed(5))
    marginals = executable.marginals(angles, 64, torch.Generator().manual_seed(5))
    assert marginals.dtype == angles.dtype and torch.equal(marginals, bits.mean(dim=1))


def test_constants_stand_behind_the_angles(exact_engine):
    circuit = Circuit(2, (Gate("ry", (0,), (0,)), Gate("ry", (1,), (1,)), Gate("crx", (0, 1), (2,))), (0.3, -1.2))
    assert circuit.n_angles == 1
    spelled = Circuit.from_gates(2, [("ry", 0), ("ry", 1), ("crx", 0, 1)])
    angles = torch.tensor([[0.7], [2.0]])
    expected = exact_engine.prepare(spelled).probabilities(torch.cat([angles, torch.tensor([[0.3, -1.2]] * 2)], dim=1))
    assert torch.allclose(exact_engine.prepare(circuit).probabilities(angles), expected, atol=1e-6)


def test_unused_angles_do_not_matter_and_get_no_gradient(exact_engine):
    executable = exact_engine.prepare(Circuit(1, (Gate("ry", (0,), (2,)),), constants=(1.0,), unused=(0, 1)))
    angles = torch.tensor([[0.1, 5.0]], requires_grad=True)
    expectations = executable.expectations(angles)
    assert expectations.item() == pytest.approx(math.sin(0.5) ** 2, abs=1e-6)
    if executable.capabilities.differentiable:
        expectations.sum().backward()
        assert not angles.grad.any()


def test_too_many_qubits_are_refused_before_anything_is_allocated(engine):
    with pytest.raises(
        EngineError, match=r"holds at most \d+ qubits, the circuit has 60: a state of it takes 16 EiB, the limit is"
    ):
        engine.prepare(Circuit(60, ()))


def test_samples_follow_the_exact_probabilities_by_chi_square(engine):
    circuit, shots = efficient_su2(3, 2), 20_000
    executable, exact = engine.prepare(circuit), make_engine("reference").prepare(circuit)
    angles = random_angles(2, circuit, seed=5, dtype=torch.float32)
    bits = executable.sample(angles, shots, torch.Generator().manual_seed(0))
    assert bits.dtype == angles.dtype and not bits.requires_grad
    indices = (bits @ torch.tensor([4.0, 2.0, 1.0])).long()
    for row, probabilities in zip(indices, exact.probabilities(angles), strict=True):
        expected = shots * probabilities
        assert expected.min() > 5
        counts = torch.bincount(row, minlength=8)
        # 7 degrees of freedom: a value above 24.3 has probability 0.001.
        assert ((counts - expected) ** 2 / expected).sum() < 24.3


def test_the_generator_decides_the_samples(engine):
    executable = engine.prepare(efficient_su2(4, 1))
    angles = random_angles(2, executable.circuit, seed=6, dtype=torch.float32)
    generator = torch.Generator().manual_seed(11)
    first = executable.sample(angles, 40, generator)
    later = executable.sample(angles, 40, generator)
    again = executable.sample(angles, 40, torch.Generator().manual_seed(11))
    assert torch.equal(first, again)
    assert not torch.equal(first, later)


def test_the_global_stream_is_left_alone(engine):
    before = torch.get_rng_state()
    engine.prepare(BELL).sample(torch.zeros(1, 0), 10, torch.Generator().manual_seed(1))
    assert torch.equal(torch.get_rng_state(), before)


def test_gradients_equal_finite_differences_where_the_engine_is_differentiable(exact_engine):
    circuit = random_circuit(3, n_gates=25, seed=4)
    executable = exact_engine.prepare(circuit)
    if not executable.capabilities.differentiable:
        pytest.skip("not differentiable")
    angles = random_angles(2, circuit, seed=7).requires_grad_()
    weights = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    (executable.expectations(angles) @ weights).sum().backward()
    exact = make_engine("reference").prepare(circuit)
    step = 1e-5
    for place in range(circuit.n_angles):
        shift = torch.zeros_like(angles)
        shift[:, place] = step
        with torch.no_grad():
            rise = (exact.expectations(angles + shift) - exact.expectations(angles - shift)) @ weights / (2 * step)
        accuracy = 1e-8 if executable.capabilities.double_precision else 1e-5
        assert torch.allclose(angles.grad[:, place], rise, rtol=0, atol=accuracy)


def test_mixed_precision_of_a_network_leaves_the_circuit_alone(exact_engine):
    executable = exact_engine.prepare(efficient_su2(3, 1))
    angles = random_angles(2, executable.circuit, seed=8, dtype=torch.float32)
    exact = executable.expectations(angles)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = executable.expectations(angles)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, exact)


def test_copies_work_after_use_with_gradients(exact_engine):
    executable = exact_engine.prepare(efficient_su2(3, 1))
    angles = random_angles(2, executable.circuit, seed=8, dtype=torch.float32).requires_grad_()
    exact = executable.probabilities(angles)
    if executable.capabilities.differentiable:
        exact.sum().backward()
    for twin in (copy.deepcopy(executable), pickle.loads(pickle.dumps(executable))):
        assert isinstance(twin, Executable) and twin.circuit == executable.circuit
        assert torch.equal(twin.probabilities(angles), exact)


def test_copies_draw_what_the_original_draws(engine):
    executable = engine.prepare(efficient_su2(3, 1))
    angles = random_angles(2, executable.circuit, seed=8, dtype=torch.float32)
    bits = executable.sample(angles, 50, torch.Generator().manual_seed(0))
    for twin in (copy.deepcopy(executable), pickle.loads(pickle.dumps(executable))):
        assert torch.equal(twin.sample(angles, 50, torch.Generator().manual_seed(0)), bits)


def test_exact_values_of_an_engine_that_can_only_sample_are_refused_in_one_line(engine):
    executable = engine.prepare(efficient_su2(2, 1))
    angles, grad_out = random_angles(3, executable.circuit, seed=1), torch.ones(3, 2).double()
    if engine.capabilities.exact:
        return check_exact(executable, "test")
    assert not engine.capabilities.differentiable
    for owner, call in {
        "probabilities": lambda: executable.probabilities(angles),
        "expectations": lambda: executable.expectations(angles),
        "readout expectation": lambda: READOUTS["expectation"](executable, angles, 1, None),
        "readout most_probable": lambda: READOUTS["most_probable"](executable, angles, 1, None),
        "the exact mean of readout sample": lambda: mean_readout("sample", executable, angles, 1),
        "a measurement with shots=None": lambda: parameter_shift(executable, angles, grad_out),
        "probe": lambda: check_exact(executable, "probe"),
    }.items():
        with pytest.raises(EngineError) as refused:
            call()
        line = str(refused.value)
        assert line.startswith(f"{owner}: engine {engine.name!r} can only sample") and "\n" not in line
        assert "readout mean" in line and "shots" in line
    with pytest.raises(EngineError, match=f"engine {engine.name!r} has no exact gradient"):
        exact_expectations(executable, angles)


def test_shots_give_a_gradient_on_every_engine(engine):
    circuit, rows = Circuit.from_gates(2, [("ry", 0), ("crx", 0, 1)]), 100
    executable = engine.prepare(circuit)
    angles = random_angles(1, circuit, seed=2).expand(rows, -1)
    grad_out = torch.tensor([[1.0, -2.0]], dtype=torch.float64).expand(rows, -1)
    generator = torch.Generator().manual_seed(0)
    estimates = parameter_shift(executable, angles, grad_out, shots=50, generator=generator)
    exact = parameter_shift(make_engine("reference").prepare(circuit), angles[:1], grad_out[:1])
    assert ((estimates.mean(dim=0) - exact[0]).abs() <= 5 * estimates.std(dim=0) / rows**0.5 + 1e-9).all()
    assert spsa(executable, angles, grad_out, generator=generator, shots=1).shape == angles.shape


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_results_follow_the_device_of_the_angles(exact_engine):
    executable = exact_engine.prepare(random_circuit(6, n_gates=40, seed=6))
    angles = random_angles(3, executable.circuit, seed=0, dtype=torch.float32)
    there = angles.cuda().requires_grad_()
    expectations = executable.expectations(there)
    expectations.sum().backward()
    assert expectations.device == there.grad.device == there.device
    assert torch.allclose(expectations.cpu(), executable.expectations(angles), atol=1e-5)
    bits = executable.sample(there, 20, torch.Generator("cuda").manual_seed(0))
    assert bits.device == there.device and bits.shape == (3, 20, 6)
    with pytest.raises(CircuitError, match="the generator is on cpu, expected cuda"):
        executable.sample(there, 20, torch.Generator())


def test_nothing_of_an_executable_enters_a_state_dict(engine):
    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.executable = engine.prepare(efficient_su2(2, 1))

    layer = Layer()
    layer.executable.marginals(torch.zeros(3, 8), 1, torch.Generator())
    assert not layer.state_dict() and not list(layer.parameters()) and not list(layer.buffers())


def test_the_executable_names_a_real_engine_and_its_capabilities(engine):
    executable = engine.prepare(BELL)
    assert executable.engine in set(CONTRACTED) - {"auto"}
    assert executable.engine == engine.name or engine.name == "auto"
    assert executable.engine_on(torch.device("cpu")) == executable.engine
    assert executable.capabilities == engine.capabilities


def test_executables_run_in_a_spawned_process():
    executable = make_engine().prepare(efficient_su2(3, 1))
    angles = random_angles(2, executable.circuit, seed=8, dtype=torch.float32)
    exact = executable.probabilities(angles)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = torch.tensor(pool.apply(probabilities_as_list, (pickle.dumps(executable), angles.tolist())))
    assert torch.allclose(there, exact, atol=1e-6)


def probabilities_as_list(pickled, angles):
    return pickle.loads(pickled).probabilities(torch.tensor(angles)).tolist()


def test_random_circuits_cover_every_gate():
    used = Counter(gate.name for seed in range(2, 7) for gate in random_circuit(seed, n_gates=40, seed=seed).gates)
    assert set(used) == set(GATES)
