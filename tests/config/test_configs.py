import functools
from pathlib import Path

import pytest
from omegaconf import OmegaConf

import qtrl
from qtrl.config.instantiate import build
from qtrl.config.location import config_dir
from qtrl.config.nested import leaves
from qtrl.config.validation.checks import check_config
from qtrl.config.validation.limits import NUMBERS
from qtrl.errors import ConfigError
from qtrl.nn import GradientEstimator

EXPERIMENTS = sorted(Path(config_dir(), "experiment").glob("*.yaml"))
STUDIES = {"humanoid": "humanoid_pqc", "pendulum": "paper/pendulum_pqc"}
"""Studies of blocks and controls, by the experiment that each repeats."""
CONTROLS = sorted(path.stem for path in Path(config_dir(), "control").glob("*.yaml"))
GRADIENTS = sorted(path.stem for path in Path(config_dir(), "gradient").glob("*.yaml"))
PROMISED = [f"{env}_{block}" for env in ("humanoid", "pendulum") for block in ("pqc", "fc", "rbg", "zeros")]


@pytest.fixture(scope="module")
def plain(compose):
    """Return a composed config as plain data; each is composed once."""
    return functools.cache(lambda *overrides: OmegaConf.to_container(compose(*overrides), resolve=True))


def different(one, other):
    """Name the keys, dotted, whose values differ."""
    one, other = dict(leaves(one)), dict(leaves(other))
    return {key for key in one | other if one.get(key) != other.get(key)}


def test_the_promised_experiments_are_there():
    assert set(PROMISED) <= {path.stem for path in EXPERIMENTS}


@pytest.mark.parametrize("name", [path.stem for path in EXPERIMENTS])
def test_every_experiment_composes_and_passes_its_checks(name, compose):
    cfg = compose(f"experiment={name}")
    check_config(cfg)
    OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)


def test_the_promised_studies_and_controls_are_there():
    studies = {path.stem for path in Path(config_dir(), "experiment", "study").glob("*.yaml")}
    assert studies == {*STUDIES, "tangent"}
    assert set(CONTROLS) == {"bernoulli", "fc_matched", "no_entangler", "fixed_angles", "shuffled", "td3"}


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_is_its_experiment_with_a_longer_last_test(study, plain):
    cfg, experiment = (plain(f"experiment={name}") for name in (f"study/{study}", STUDIES[study]))
    check_config(OmegaConf.create(cfg))
    differs = different(cfg, experiment)
    assert {key for key in differs if not key.startswith("tags")} <= {
        *("resume", "deterministic", "num_threads", "callbacks.final_test_episodes", "study", "logger.group"),
        "total_env_steps",
    }
    assert cfg["callbacks"]["final_test_episodes"] == 100


@pytest.mark.parametrize("gradient", ["qtdnn_local", "qtdnn_fresh"])
def test_the_study_of_the_gradient_differs_by_the_estimator_and_its_label_alone(gradient, plain):
    cfg, other = (plain("experiment=study/tangent", f"gradient={name}") for name in (gradient, "qtdnn"))
    check_config(OmegaConf.create(cfg))
    assert cfg["label"] == gradient
    assert {key.partition(".")[0] for key in different(cfg, other)} == {"gradient", "label"}


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_has_its_name_as_label_and_differs_by_actor_block_and_circuit_alone(study, control, plain):
    cfg, pqc = (plain(f"experiment=study/{study}", *more) for more in ([f"control={control}"], []))
    check_config(OmegaConf.create(cfg))
    assert (cfg["label"], pqc["label"]) == (control, "pqc")
    differs = {key for key in pqc if cfg[key] != pqc[key]}
    assert differs - {"label"} and differs <= {"label", "actor", "block", "circuit"}
    assert all(cfg["circuit"][size] == pqc["circuit"][size] for size in ("n_qubits", "reps"))


@pytest.mark.parametrize("block", ["fc", "rbg", "zeros"])
@pytest.mark.parametrize("env", ["humanoid", "pendulum"])
def test_an_ablation_differs_by_the_block_its_label_and_the_tags_alone(env, block, plain):
    pqc, other = plain(f"experiment={env}_pqc"), plain(f"experiment={env}_{block}")
    assert {key.partition(".")[0] for key in different(pqc, other)} == {"block", "label", "tags"}
    assert (other["label"], other["tags"]) == (block, [env, block])


@pytest.mark.parametrize(
    "override",
    [
        "trainer=gpu",
        "trainer=ddp",
        "engine=reference",
        "sweep=seeds",
        "sweep=controls",
        "launcher=basic",
        "launcher=joblib",
        "actor=mlp",
        "actor=hybrid_local",
        "recipe=local",
    ],
)
def test_every_other_choice_composes_too(override, compose):
    check_config(compose("experiment=pendulum_pqc", override))


@pytest.mark.parametrize("name", GRADIENTS)
def test_every_gradient_is_made_from_its_config_whatever_the_experiment(name, compose):
    cfg = compose("experiment=pendulum_pqc", f"gradient={name}")
    check_config(cfg)
    estimator = build(cfg.gradient)(40, 5)
    assert isinstance(estimator, GradientEstimator)
    assert estimator.trainable == name.startswith("qtdnn")


@pytest.mark.parametrize(("experiment", "width"), [("paper/pendulum_pqc", 64), ("paper/humanoid_pqc", 2048)])
def test_the_width_of_the_qtdnn_follows_the_qubits(experiment, width, compose):
    cfg = compose(f"experiment={experiment}")
    estimator = build(cfg.gradient)(8, cfg.circuit.n_qubits)
    assert next(estimator.parameters()).shape == (width, 8)


def test_every_key_with_limits_is_a_key(compose):
    composed = [compose("experiment=pendulum_pqc", f"gradient={name}") for name in GRADIENTS]
    others = ("block=fc_matched", "critic=categorical", "data/sampler=prioritized", "data/sampler=slices")
    others += ("data/transform=n_step", "exploration=spread", "exploration=held")
    composed += [compose("experiment=pendulum_pqc", other) for other in others]
    composed.append(compose("experiment=hdqnn_moons"))
    absent = [
        key for key in NUMBERS if all(OmegaConf.select(cfg, key, default="absent") == "absent" for cfg in composed)
    ]
    assert absent == []


def test_configs_are_found_from_another_folder(tmp_path, monkeypatch, compose):
    monkeypatch.chdir(tmp_path)
    assert Path(config_dir()).is_absolute()
    assert compose("experiment=humanoid_pqc").env.id == "Humanoid-v4"


def test_an_installed_package_has_them_inside(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "qtrl"
    package.mkdir(parents=True)
    monkeypatch.setattr(qtrl, "__file__", str(package / "__init__.py"))
    with pytest.raises(ConfigError, match="no configs in"):
        config_dir()
    (package / "configs").mkdir()
    (package / "configs" / "train.yaml").write_text("")
    assert config_dir() == str(package / "configs")
