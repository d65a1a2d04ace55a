import pickle
from dataclasses import replace

import pytest
import torch
from sampling_engine import SamplingEngine

from qtrl.errors import EngineError
from qtrl.quantum import ENGINES, Circuit, efficient_su2, make_engine

BELL = Circuit.from_gates(2, [("h", 0), ("cx", 0, 1)])


def test_auto_takes_the_fastest_engine_that_holds_the_circuit(monkeypatch):
    assert make_engine().prepare(BELL).engine == "numba"
    for name, next_one in (("numba", "statevector"), ("statevector", "torchquantum")):
        able = ENGINES[name].capabilities
        monkeypatch.setattr(ENGINES[name], "capabilities", replace(able, gates=frozenset({"cx"})))
        assert make_engine().prepare(BELL).engine == next_one


def test_the_candidates_are_taken_in_their_order():
    assert make_engine("auto", candidates=["torchquantum", "numba"]).prepare(BELL).engine == "torchquantum"
    assert make_engine("auto", candidates=["reference"]).capabilities == ENGINES["reference"].capabilities


def test_auto_keeps_double_precision_where_angles_have_it():
    circuit = efficient_su2(4, 2)
    angles = torch.linspace(-3, 3, 2 * circuit.n_angles, dtype=torch.float64).view(2, -1)
    exact = make_engine("reference").prepare(circuit).probabilities(angles)
    assert torch.allclose(make_engine().prepare(circuit).probabilities(angles), exact, rtol=0, atol=1e-12)


def test_exact_values_come_from_an_exact_candidate_and_samples_from_the_first():
    executable = make_engine("auto", candidates=[SamplingEngine(shots_per_job=3), "statevector"]).prepare(BELL)
    none, generator = torch.zeros(1, 0), torch.Generator().manual_seed(0)
    assert executable.engine == "sampling" and executable.capabilities.exact
    torch.testing.assert_close(executable.probabilities(none), torch.tensor([[0.5, 0, 0, 0.5]]))
    bits = executable.sample(none, 7, generator)
    assert bits.shape == (1, 7, 2) and [
        made.jobs for made in executable._prepared.values() if made.engine == "sampling"
    ] == [3]
    assert torch.equal(pickle.loads(pickle.dumps(executable)).expectations(none), executable.expectations(none))


def test_candidates_that_can_only_sample_give_no_exact_values():
    executable = make_engine("auto", candidates=[SamplingEngine()]).prepare(BELL)
    with pytest.raises(EngineError, match="expectations: engine 'sampling' can only sample"):
        executable.expectations(torch.zeros(1, 0))


def test_auto_says_why_no_engine_holds_the_circuit(monkeypatch):
    for name in set(ENGINES) - {"auto"}:
        monkeypatch.setattr(ENGINES[name], "capabilities", replace(ENGINES[name].capabilities, gates=frozenset({"h"})))
    with pytest.raises(
        EngineError,
        match="no engine can run the circuit: 'numba' has no gate cx; 'triton' has no gate cx; 'statevector' has",
    ):
        make_engine().prepare(BELL)


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        (["numba", "qpu"], "unknown candidate 'qpu', expected some of numba, reference"),
        ([], "no candidates, expected some"),
    ],
)
def test_impossible_candidates_are_refused(candidates, message):
    with pytest.raises(EngineError, match=f"engine 'auto'.*{message}"):
        make_engine("auto", candidates=candidates)


def test_engines_whose_package_is_missing_are_passed_over_where_others_can(monkeypatch):
    circuit, gpu = efficient_su2(2, 1), torch.device("cuda")
    assert make_engine("auto").prepare(circuit)._pick(gpu, torch.float64).engine == "statevector"
    assert make_engine("auto").prepare(circuit)._pick(gpu, torch.float32, gradient=True).engine == "statevector"
    monkeypatch.setattr("qtrl.quantum.engines.auto.find_spec", lambda name: None)
    assert make_engine("auto").prepare(circuit)._pick(gpu, torch.float32).engine == "statevector"
