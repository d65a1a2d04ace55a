"""Every circuit of the config group keeps the sizes that the others have, and runs; a new config inherits the tests."""

from pathlib import Path

import pytest
import torch
from engines_on_cpu import ON_CPU
from omegaconf import OmegaConf

from qtrl.config.instantiate import build
from qtrl.config.location import config_dir
from qtrl.config.validation.checks import check_config
from qtrl.quantum import ENTANGLEMENTS, draw, from_qiskit, from_torchquantum, make_engine, to_qiskit, to_torchquantum

CIRCUITS = sorted(path.stem for path in Path(config_dir(), "circuit").glob("*.yaml"))
SIZES = {"paper/pendulum_pqc": (40, 5), "humanoid_pqc": (220, 10)}


@pytest.fixture(scope="module")
def configs(compose):
    pairs = [(experiment, name) for experiment in SIZES for name in CIRCUITS]
    return {pair: compose(f"experiment={pair[0]}", f"circuit={pair[1]}") for pair in pairs}


@pytest.fixture
def make(configs):
    def made(name, **changes):
        cfg = configs["paper/pendulum_pqc", name].copy()
        for key, value in changes.items():
            OmegaConf.update(cfg, key if key == "seed" else f"circuit.{key}", value)
        return build(cfg.circuit)

    return made


def angles(circuit):
    return 6 * torch.rand(2, circuit.n_angles, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 3


def test_the_promised_circuits_are_there():
    assert {"efficient_su2", "data_reuploading", "no_entangler", "fixed_angles"} <= set(CIRCUITS)


@pytest.mark.parametrize("name", CIRCUITS)
@pytest.mark.parametrize("entanglement", ENTANGLEMENTS)
def test_sizes_do_not_depend_on_the_circuit(name, entanglement, make):
    for reps in (1, 2, 5):
        for rotations in (["ry", "rz"], ["rx"]):
            circuit = make(name, n_qubits=3, reps=reps, rotations=rotations, entanglement=entanglement)
            assert (circuit.n_qubits, circuit.n_angles) == (3, 3 * len(rotations) * (reps + 1))


@pytest.mark.parametrize("name", CIRCUITS)
@pytest.mark.parametrize("engine", ON_CPU)
def test_every_engine_runs_every_circuit(name, engine, make):
    circuit = make(name, n_qubits=3, reps=2)
    expected = make_engine("reference").prepare(circuit).probabilities(angles(circuit))
    probabilities = make_engine(engine).prepare(circuit).probabilities(angles(circuit))
    torch.testing.assert_close(probabilities, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", CIRCUITS)
@pytest.mark.parametrize("experiment", SIZES)
def test_experiments_take_every_circuit(name, experiment, configs):
    cfg = configs[experiment, name].copy()  # Hydra resolves what it makes objects of in place
    check_config(cfg)
    circuit = build(cfg.circuit)
    block = build(cfg.block)(circuit.n_angles, circuit.n_qubits)
    assert (block.n_in, block.n_out) == SIZES[experiment]
    out = block(torch.zeros(1, block.n_in), torch.Generator().manual_seed(0))
    assert out.shape == (1, block.n_out)


def test_the_fixed_angles_follow_the_seed_of_the_run(make):
    assert make("fixed_angles", seed=1) == make("fixed_angles", seed=1) != make("fixed_angles", seed=2)


def test_fixed_angles_takes_any_family(make):
    circuit = make("fixed_angles", **{"family._target_": "qtrl.quantum.data_reuploading", "reps": 2})
    assert circuit.n_angles == 30 and sum(gate.name == "ry" for gate in circuit.gates) == 20


@pytest.mark.parametrize("name", CIRCUITS)
def test_circuits_can_be_converted_and_drawn(name, make):
    circuit = make(name, n_qubits=3, reps=2)
    assert from_qiskit(to_qiskit(circuit)) == circuit
    assert from_torchquantum(to_torchquantum(circuit), 3, circuit.constants) == circuit
    assert "q_2" in draw(circuit)
