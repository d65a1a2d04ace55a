import pytest
import yaml
from omegaconf import OmegaConf

from qtrl.config.limits import check_config
from qtrl.errors import ConfigError

SIZES = [
    "block.shots=0",
    "circuit.n_qubits=0",
    "seed=-1",
    "total_env_steps=0",
    "total_env_steps=-5",
    "total_env_steps=many",
    "total_env_steps=1.5",
    "warmup_env_steps=-1",
    "updates_per_env_step=0",
    "num_envs=0",
    "test_every_env_steps=0",
    "checkpoint_every_env_steps=0",
    "env.max_episode_steps=0",
    "env.workers=0",
    "env.timeout=0",
    "env.max_restarts=-1",
    "actor.hidden=0",
    "critic.hidden=0",
    "actor.links=-1",
    "algo.gamma=1.1",
    "algo.tau=0",
    "algo.policy_delay=0",
    "exploration.noise=-1",
    "exploration.angle_noise=-0.1",
    "algo.target_noise=-1",
    "algo.actor_optimizer.lr=-1",
    "algo.actor_optimizer.lr=???",
    "actor.angle_scale=0",
    "actor.q_out_center=nan",
    "actor.q_out_scale=0",
    "block.readout_error=-0.1",
    "block.readout_error=0.6",
    "circuit.reps=-1",
    "gradient.hidden=0",
    "gradient.window=0",
    "gradient.fresh_rows=0",
    "gradient.fresh_noise=-0.1",
    "gradient.fit_every_updates=0",
    "gradient.fit_batches=0",
    "gradient.fit_epochs=0",
    "data.batch_size=0",
    "data.capacity=-1",
    "callbacks.test_episodes=0",
    "callbacks.test_max_episode_steps=0",
    "callbacks.log_every_env_steps=0",
    "callbacks.probe_every_env_steps=0",
    "callbacks.probe_rows=1",
    "seed=true",
    "algo.tau=nan",
]

WORDS = {
    "checkpoint_replay=all": "last, none",
    "optimized_metric=loss": "test/return_mean, test/best_return",
    "matmul_precision=low": "highest, high, medium",
    "normalize=batch": "null, running",
    "actor.angle_bound=box": "null, tanh, norm",
    "actor.bounded_links=no": "false, true",
    "gradient.linear=no": "false, true",
    "gradient.centered=no": "false, true",
    "data.storage=tape": "memory, memmap",
    "data.overlap=no": "false, true",
    "data.collector=direct": "in_process, processes",
    "env.vector=cloud": "serial, threads, processes",
    "algo.compile_mode=fast": "null, default, reduce-overhead",
}


@pytest.fixture(scope="module")
def smoke_config(compose):
    cfg = compose("experiment=pendulum_pqc", "debug=smoke", "logger=csv")
    check_config(cfg)
    return cfg


@pytest.fixture
def refused(smoke_config):
    """Return what the config is refused with where one key has another value."""

    def said(*overrides):
        cfg = smoke_config.copy()
        for override in overrides:
            change(cfg, override)
        with pytest.raises(ConfigError) as caught:
            check_config(cfg)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return said


def change(cfg, override):
    key, _, value = override.partition("=")
    words = {"nan": float("nan"), "no": "no"}  # as Hydra reads them, which is not YAML
    OmegaConf.update(cfg, key, words[value] if value in words else yaml.safe_load(value))


@pytest.mark.parametrize("override", SIZES)
def test_a_number_out_of_range_is_told_with_its_limits(override, refused):
    assert refused(override).lower().startswith(f"{override} is not allowed: expected ")


@pytest.mark.parametrize("levels", ["5000", "all", "[5000, 1000]", "[1, 1]", "[one]", "[true]", "[.nan]"])
def test_levels_that_are_no_rising_numbers_are_told(levels, refused):
    assert "is not allowed: expected up to 20 numbers in rising order" in refused(f"env.levels={levels}")


@pytest.mark.parametrize("override", WORDS)
def test_an_unknown_word_is_told_with_the_choices(override, refused):
    assert refused(override).startswith(f"{override} is unknown: choices are {WORDS[override]}")


def test_circuits_and_layers_that_would_not_fit_are_told(refused):
    assert "circuit.reps=1000 is not allowed: the circuit has over 1,000,000 gates" in refused(
        "circuit.reps=1000", "circuit.n_qubits=64"
    )
    assert (
        "actor.hidden=8192 is not allowed: with 0 angles and 100,000 links it has over 268,435,456 weights"
        in refused("actor.hidden=8192", "actor.links=100000", "circuit.rotations=[]", "block.circuit=null")
    )


@pytest.mark.parametrize(
    "override", ["step=0", "step=-0.1", "step=null", "repetitions=0", "repetitions=1.5", "shots=0"]
)
def test_numbers_of_spsa_have_limits(override, compose):
    key, _, value = f"gradient.{override}".partition("=")
    with pytest.raises(ConfigError, match=rf"{key}={value.replace('null', 'None')} is not allowed: expected "):
        check_config(compose("experiment=pendulum_pqc", "gradient=spsa", f"gradient.{override}"))


@pytest.mark.parametrize("label", ["", ".", "../x", "a b", "x" * 65, "<b>", "é", "3.5/2", "+a", "a\n"])
def test_a_label_is_a_plain_name(label, smoke_config):
    cfg = smoke_config.copy()
    cfg.label = label
    with pytest.raises(ConfigError, match=r"^label=.* is not allowed: expected up to 64 letters"):
        check_config(cfg)


@pytest.mark.parametrize("label", ["pqc", "pqc+td3", "_-.+9", "x" * 64])
def test_a_plain_label_is_taken(label, smoke_config):
    cfg = smoke_config.copy()
    cfg.label = label
    check_config(cfg)


@pytest.mark.parametrize("names", ["is_success", "[is success]", "[1]", "[a,a]", "['$x']", "3"])
def test_names_of_info_are_names(names, refused):
    assert "expected at most 100 names of what env.step puts into its info" in refused(f"callbacks.log_info={names}")
