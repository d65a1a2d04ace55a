import pytest
import torch
from all_gates import CONVERTED

from qtrl.errors import CircuitError
from qtrl.quantum import Circuit, efficient_su2, make_engine
from qtrl.quantum.real_circuit import RealCircuit


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-12), (torch.float32, 2e-5)], ids=str)
@pytest.mark.parametrize("circuit", [*CONVERTED.values(), Circuit(2, ())], ids=[*CONVERTED, "no gates"])
def test_expectations_are_those_of_the_reference(circuit, dtype, atol):
    angles = (6 * torch.rand(3, circuit.n_angles, generator=torch.Generator().manual_seed(0)) - 3).to(dtype)
    expectations, real = make_engine("reference").prepare(circuit).expectations(angles), RealCircuit(circuit)(angles)
    assert (real.dtype, real.shape) == (dtype, (3, circuit.n_qubits))
    assert torch.allclose(real, expectations, rtol=0, atol=atol)


def test_it_has_no_weights_and_goes_up_to_twelve_qubits():
    assert not RealCircuit(efficient_su2(12, 0)).state_dict()
    with pytest.raises(CircuitError, match="13 qubits; .* up to 12: take the surrogate"):
        RealCircuit(efficient_su2(13, 0))
