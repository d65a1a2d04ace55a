import pytest
import torch

from qtrl.quantum import Circuit, Gate, efficient_su2, make_engine
from qtrl.quantum.circuit import unshare

SHARED = Circuit(
    2,
    (
        Gate("ry", (0,), (1,)),
        Gate("u3", (1,), (0, 1, 3)),  # 3 is the constant
        Gate("crz", (0, 1), (1,)),
        Gate("rx", (0,), (3,)),
    ),
    constants=(0.7,),
    unused=(2,),
)


def test_first_occurrences_stay_further_ones_follow_and_constants_come_last() -> None:
    circuit, sources = unshare(SHARED)
    assert sources == (0, 1, 2, 1, 1)
    assert [gate.angles for gate in circuit.gates] == [(1,), (0, 3, 5), (4,), (5,)]
    assert (circuit.n_angles, circuit.constants, circuit.unused) == (5, (0.7,), (2,))


def test_both_circuits_have_equal_probabilities() -> None:
    circuit, sources = unshare(SHARED)
    engine = make_engine("reference")
    angles = torch.randn(4, SHARED.n_angles, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    given, apart = engine.prepare(SHARED), engine.prepare(circuit)
    torch.testing.assert_close(apart.probabilities(angles[:, list(sources)]), given.probabilities(angles))


@pytest.mark.parametrize("circuit", [efficient_su2(3, 2), Circuit(2, ()), Circuit(1, (), unused=(0, 1))])
def test_a_circuit_that_shares_nothing_comes_back_equal(circuit: Circuit) -> None:
    apart, sources = unshare(circuit)
    assert apart == circuit
    assert sources == tuple(range(circuit.n_angles))


def test_an_executable_unshares_once_on_its_own_engine_and_clock() -> None:
    executable = make_engine("reference").prepare(SHARED)
    assert executable.unshared is executable.unshared
    assert executable.unshared.engine == "reference"
    assert executable.unshared.clock is executable.clock
    plain = make_engine("reference").prepare(efficient_su2(2, 1))
    assert plain.unshared is plain
