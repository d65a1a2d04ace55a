import dataclasses
import math

import pytest
import torch
from all_gates import random_circuit
from engines_on_cpu import ON_CPU
from gradient_checks import autograd, random_angles, seeded, weights

from qtrl.errors import CircuitError
from qtrl.quantum import GATES, Circuit, Gate, efficient_su2, make_engine
from qtrl.quantum.gradients import SHIFT_RULES, attach_gradient, measure, parameter_shift, parameter_shift_circuits

ROWS = 3


def test_every_gate_with_angles_has_a_rule() -> None:
    assert set(SHIFT_RULES) == {name for name, gate in GATES.items() if gate.n_angles}


@pytest.mark.parametrize("name", SHIFT_RULES)
def test_the_rule_is_exact_for_the_gates_frequencies(name: str) -> None:
    """Frequencies are differences of the generator's eigenvalues, read off the gate's matrix."""
    angles = torch.zeros(GATES[name].n_angles, dtype=torch.float64)
    for place in range(len(angles)):
        matrix = GATES[name].matrix(torch.eye(len(angles), dtype=torch.float64)[place])
        phases = torch.linalg.eigvals(matrix @ GATES[name].matrix(angles).mH).angle()
        frequencies = {round(abs(float(a - b)), 9) for a in phases for b in phases} - {0.0}
        assert frequencies == ({1.0} if len(SHIFT_RULES[name]) == 2 else {0.5, 1.0})
        for frequency in frequencies:
            slope = sum(c * math.sin(frequency * shift) for shift, c in SHIFT_RULES[name])
            assert slope == pytest.approx(frequency, abs=1e-12)


@pytest.mark.parametrize("n_qubits", [2, 3, 4])
def test_every_gate_shared_angles_and_constants_agree_with_autograd(n_qubits: int) -> None:
    circuit = random_circuit(n_qubits, seed=n_qubits)
    angles = random_angles(circuit, ROWS)
    reference, statevector = (make_engine(name).prepare(circuit) for name in ("reference", "statevector"))
    grad_out = weights(reference, ROWS)
    exact = autograd(reference, angles, grad_out)
    torch.testing.assert_close(autograd(statevector, angles, grad_out), exact, atol=1e-10, rtol=0)
    torch.testing.assert_close(parameter_shift(statevector, angles, grad_out), exact, atol=1e-10, rtol=0)
    assert exact.abs().max() > 0.1
    assert not exact[:, list(circuit.unused)].any()


@pytest.mark.parametrize("engine", ON_CPU)
def test_every_engine_gives_the_gradient(engine: str) -> None:
    circuit = random_circuit(3, seed=7)
    executable = make_engine(engine).prepare(circuit)
    angles = random_angles(circuit, ROWS, torch.float32)
    grad_out = weights(executable, ROWS, torch.float32)
    exact = autograd(make_engine("reference").prepare(circuit), angles.double(), grad_out.double())
    shifted = parameter_shift(executable, angles, grad_out)
    assert shifted.dtype == torch.float32
    torch.testing.assert_close(shifted.double(), exact, atol=1e-4, rtol=0)


def test_counts_are_those_of_the_paper_and_of_the_rules() -> None:
    assert 256 * parameter_shift_circuits(efficient_su2(10, 10)) == 112_640
    gates = (Gate("ry", (0,), (0,)), Gate("crz", (0, 1), (0,)), Gate("u3", (1,), (1, 0, 2)), Gate("h", (0,)))
    circuit = Circuit(2, gates, constants=(0.3,))  # 2 is the constant
    assert parameter_shift_circuits(circuit) == 2 + 4 + 2 + 2


@pytest.mark.parametrize("max_rows", [1, 7, 10_000])
def test_cutting_the_work_changes_nothing(max_rows: int) -> None:
    circuit = random_circuit(2, seed=0)
    executable = make_engine("statevector").prepare(circuit)
    angles, grad_out = random_angles(circuit, 2), weights(executable, 2)
    cut = parameter_shift(executable, angles, grad_out, max_rows=max_rows)
    torch.testing.assert_close(cut, parameter_shift(executable, angles, grad_out), atol=1e-13, rtol=0)


def test_many_qubits_run_a_few_circuits_at_once() -> None:
    executable = make_engine("statevector").prepare(Circuit.from_gates(16, [("ry", q) for q in range(16)]))
    rows = []
    whole = executable.expectations
    executable.expectations = lambda angles: rows.append(len(angles)) or whole(angles)
    angles = torch.full((3, 16), 0.3)
    gradient = parameter_shift(executable, angles, torch.ones(3, 16))
    assert sum(rows) == 3 * 32 and max(rows) == 2**22 // 2**16
    torch.testing.assert_close(gradient, torch.sin(angles) / 2, atol=1e-5, rtol=0)


def test_shots_give_the_gradient_without_bias() -> None:
    circuit = random_circuit(2, seed=1)
    executable = make_engine("statevector").prepare(circuit)
    rows = 400
    angles = random_angles(circuit, 1).expand(rows, -1)
    grad_out = weights(executable, 1).expand(rows, -1)
    estimates = parameter_shift(executable, angles, grad_out, shots=5, generator=seeded())
    exact = autograd(executable, angles[:1], grad_out[:1])[0]
    error = 5 * estimates.std(dim=0) / rows**0.5
    assert ((estimates.mean(dim=0) - exact).abs() <= error).all()
    assert error.max() > 0.01  # shots were drawn
    again = parameter_shift(executable, angles, grad_out, shots=5, generator=seeded())
    assert torch.equal(again, estimates)


def test_a_readout_error_scales_the_gradient_as_it_scales_what_is_read() -> None:
    circuit = random_circuit(2, seed=1)
    executable = make_engine("statevector").prepare(circuit)
    angles, grad_out = random_angles(circuit, 2), weights(executable, 2)
    misread = parameter_shift(executable, angles, grad_out, readout_error=0.1)
    torch.testing.assert_close(misread, 0.8 * parameter_shift(executable, angles, grad_out))


@pytest.mark.parametrize("rows", [0, 2])
@pytest.mark.parametrize(
    "circuit", [Circuit(2, (Gate("h", (0,)),), unused=(0, 1)), Circuit(1, ()), efficient_su2(2, 0)]
)
def test_nothing_to_shift_gives_no_gradient_and_no_error(circuit: Circuit, rows: int) -> None:
    executable = make_engine("statevector").prepare(circuit)
    gradient = parameter_shift(executable, random_angles(circuit, rows), weights(executable, rows))
    assert gradient.shape == (rows, circuit.n_angles)
    assert bool(gradient.any()) == (rows > 0 and not circuit.unused and circuit.n_angles > 0)


def test_what_does_not_fit_is_refused() -> None:
    executable = make_engine("statevector").prepare(efficient_su2(2, 0))
    angles, grad_out = torch.zeros(3, 4), torch.zeros(3, 2)
    with pytest.raises(CircuitError, match=r"grad_out has shape \(3, 1\), expected \(3, 2\)"):
        parameter_shift(executable, angles, grad_out[:, :1])
    with pytest.raises(CircuitError, match=r"angles of shape \(3, 3\)"):
        parameter_shift(executable, angles[:, :3], grad_out)
    with pytest.raises(CircuitError, match="angle 1 of sample 2 is nan"):
        parameter_shift(
            executable, angles.index_put((torch.tensor(2), torch.tensor(1)), torch.tensor(math.nan)), grad_out
        )
    with pytest.raises(CircuitError, match="shots is 0"):
        parameter_shift(executable, angles, grad_out, shots=0, generator=seeded())
    with pytest.raises(CircuitError, match=r"torch\.Generator"):
        parameter_shift(executable, angles, grad_out, shots=1)


def test_an_attached_gradient_flows_once_and_leaves_the_value_alone() -> None:
    executable = make_engine("statevector").prepare(efficient_su2(2, 1))
    angles = random_angles(executable.circuit, ROWS).requires_grad_()
    value = measure(executable, angles, shots=10, generator=seeded())
    calls = []

    def vjp(given: torch.Tensor, grad_out: torch.Tensor) -> torch.Tensor:
        calls.append(given)
        return parameter_shift(executable, given, grad_out)

    out = attach_gradient(angles, value, vjp)
    assert torch.equal(out, value) and not value.requires_grad and not calls
    (first,) = torch.autograd.grad((out**2).sum(), angles, create_graph=True)
    torch.testing.assert_close(first.detach(), autograd(executable, angles.detach(), 2 * value))
    assert len(calls) == 1
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()
    with torch.no_grad():
        assert not attach_gradient(angles, value, vjp).requires_grad


def test_the_rules_need_no_differentiable_engine() -> None:
    executable = make_engine("statevector").prepare(efficient_su2(2, 1))
    angles, grad_out = random_angles(executable.circuit, 2), weights(executable, 2)
    exact = autograd(executable, angles, grad_out)
    executable.capabilities = dataclasses.replace(executable.capabilities, differentiable=False)
    torch.testing.assert_close(parameter_shift(executable, angles.requires_grad_(), grad_out), exact)
