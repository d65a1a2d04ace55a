from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from qtrl.config.instantiate import blamed, build, construct, construct_task, logger_makers
from qtrl.errors import ConfigError, QtrlError, RunFolderError
from qtrl.loggers import TensorBoard, WandbRun
from qtrl.tasks import RunContext

pytestmark = pytest.mark.usefixtures("toy_envs")
MISTAKES = {
    "block.readout=peek": ["peek", "sample", "mean", "majority", "most_probable"],
    "gradient.value=x": ["'x'", "surrogate", "block"],
    "gradient.pairs=x": ["'x'", "stored", "fresh"],
    "circuit.entanglement=x": ["x", "linear"],
    "circuit.rotations=[rq]": ["rq", "ry"],
    "circuit.n_qubits=60 circuit.reps=0": ["60"],
    "engine.candidates=[qpu]": ["qpu", "reference", "statevector", "torchquantum"],
    "algo.actor_optimizer.momentom=1": ["FusedAdam", "momentom"],
    "data.overlap=true": ["data.overlap=true", "env.vector=threads or processes"],
    "data.collector=processes env.vector=threads": ["data.collector=processes", "env.vector=serial"],
    "warmup_env_steps=100": ["warmup_env_steps=100", "below"],
    "env.id=nowhere:X-v0": ["nowhere"],
    "env.id=CartPole-v1": ["CartPole-v1", "Discrete", "Box"],
    "env.id=toy_envs:EchoUnbounded-v0": ["finite bounds"],
}
"""What is wrong only once objects are made, and what is said."""


@pytest.fixture(scope="module")
def configs(compose):
    """Smoke configs by experiment, composed once."""
    return {
        name: compose(f"experiment={name}", "debug=smoke") for name in ("pendulum_pqc", "pendulum_fc", "pendulum_rbg")
    }


@pytest.fixture
def refused(configs):
    """Return what is said where a task and its module cannot be made."""

    def said(experiment, *overrides):
        cfg = configs[experiment].copy()
        for override in overrides:
            key, _, value = override.partition("=")
            OmegaConf.update(cfg, key, yaml.safe_load(value), force_add=True)
        with pytest.raises(QtrlError) as caught:
            task = construct_task(cfg)
            module = task.make_module(RunContext(Path("run"), seed=0))
            module.configure_optimizers()
            task.make_data(module, RunContext(Path("run"), seed=0))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return said


@pytest.mark.parametrize("overrides", MISTAKES)
def test_a_mistake_that_a_class_finds_is_told_in_one_line(overrides, refused):
    line = refused("pendulum_pqc", *overrides.split())
    assert all(word in line for word in MISTAKES[overrides]), line


def test_a_gradient_estimator_that_cannot_stand_in_for_the_block_is_told(refused, configs, compose):
    assert "block.surrogate=false" in refused("pendulum_fc", "block.surrogate=true")
    cfg = compose("experiment=pendulum_rbg", "debug=smoke", "block.surrogate=true", "gradient=exact")
    with pytest.raises(ConfigError) as caught:
        construct_task(cfg).make_module(RunContext(Path("run"), seed=0))
    assert all(word in str(caught.value) for word in ("RBG", "block=pqc", "block.surrogate=false", "gradient=qtdnn"))


def test_a_node_becomes_an_object_a_factory_or_plain_data():
    node = OmegaConf.create({"a": {"_target_": "datetime.timedelta", "days": 2}, "b": [1, {"c": 2}]})
    assert build(node.a).days == 2
    assert build(OmegaConf.merge(node.a, {"_partial_": True}))(hours=1).seconds == 3600
    assert type(build(node)["b"][1]) is dict


def test_a_class_that_cannot_be_found_is_named_and_not_what_it_is_below():
    node = OmegaConf.create({"id": "x", "wrappers": [{"_target_": "nowhere.Wrapper", "_partial_": True}]})
    with pytest.raises(ConfigError, match="nowhere.Wrapper cannot be made: No module named 'nowhere'"):
        build(node)


def test_an_argument_that_the_run_gives_is_refused_in_the_config():
    node = OmegaConf.create({"_target_": "fractions.Fraction", "_partial_": True, "numerator": 1})
    assert build(node)(denominator=2) == 0.5
    for arguments, named in (((), {"numerator": 2}), ((2,), {})):
        with pytest.raises(ConfigError, match=r"numerator of fractions.Fraction has no effect in the config"):
            build(node)(*arguments, **named)


def test_arguments_are_the_keys_of_their_names():
    class Thing:
        def __init__(self, seed, sizes, absent=3):
            self.seen = seed, sizes, absent

    cfg = OmegaConf.create({"seed": 1, "sizes": [2, 3], "other": 4})
    assert construct(Thing, cfg).seen == (1, [2, 3], 3)
    with pytest.raises(ConfigError, match="the config has no key 'seed', which Thing needs"):
        construct(Thing, OmegaConf.create({"sizes": [2]}))


def test_what_a_saved_config_makes_impossible_is_blamed_on_it(tmp_path):
    with (
        pytest.raises(RunFolderError, match="config.yaml does not describe a run .* 'KeyError: 1'"),
        blamed(tmp_path / "config.yaml"),
    ):
        raise KeyError(1)
    with pytest.raises(ConfigError, match="as it is"), blamed(tmp_path / "config.yaml"):
        raise ConfigError("as it is")


@pytest.mark.parametrize(
    ("choice", "kinds"),
    [
        ("csv", []),
        ("wandb", [WandbRun]),
        ("tensorboard", [TensorBoard]),
        ("[csv,wandb,tensorboard]", [WandbRun, TensorBoard]),
        ("[tensorboard,csv]", [TensorBoard]),
    ],
)
def test_loggers_can_be_chosen_together(choice, kinds, compose, tmp_path):
    cfg = compose("experiment=pendulum_pqc", f"logger={choice}", "study=group")
    loggers = [make(tmp_path, run_name="run", tags=[], config={}) for make in logger_makers(cfg.logger)]
    assert [type(logger) for logger in loggers] == kinds
