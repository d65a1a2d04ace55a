import pytest

from qtrl.config.instantiate import build
from qtrl.config.objects import make
from qtrl.errors import CircuitError, ConfigError
from qtrl.quantum import Circuit


def test_a_composed_config_becomes_what_hydra_makes_of_it(compose):
    from omegaconf import OmegaConf

    cfg = compose("experiment=pendulum_pqc", "circuit=fixed_angles")
    plain = OmegaConf.to_container(cfg, resolve=True)
    assert make(plain["circuit"]) == build(cfg.circuit)
    one, other = (made(16, 4) for made in (make(plain["gradient"]), build(cfg.gradient)))
    assert str(one) == str(other)


def test_mappings_lists_and_values_stay_but_for_what_names_a_class():
    node = {"a": [1, {"_target_": "qtrl.quantum.Circuit", "n_qubits": 2, "gates": []}], "b": {"c": None}}
    assert make(node) == {"a": [1, Circuit(2, [])], "b": {"c": None}}


def test_errors_are_qtrls_own():
    with pytest.raises(CircuitError, match="at least 1 qubit"):
        make({"_target_": "qtrl.quantum.Circuit", "n_qubits": 0, "gates": []})
    with pytest.raises(ConfigError, match=r"qtrl\.quantum\.Circuit cannot be made: .*n_bits"):
        make({"_target_": "qtrl.quantum.Circuit", "_partial_": True, "n_bits": 0})()
