import pytest
import yaml
from omegaconf import OmegaConf

from qtrl.config.validation.checks import check_config
from qtrl.config.validation.trainer_flags import check_optimization, check_trainer
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
    "exploration.noise=inf",
    "algo.actor_optimizer.lr=inf",
]

WORDS = {
    "deterministic=maybe": "false, true",
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
    words = {"nan": float("nan"), "inf": float("inf"), "no": "no"}  # as Hydra reads them, which is not YAML
    OmegaConf.update(cfg, key, words[value] if value in words else yaml.safe_load(value), force_add=True)


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


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("tags=first", "expected texts of up to 64 characters, as in tags=[first,second]"),
        ("tags=[1]", "expected texts"),
        ("tags=['']", "expected texts"),
        (f"tags=[{'x' * 65}]", "expected texts"),
        ("study=[a]", "expected a text"),
        ("study=true", "expected a text"),
    ],
)
def test_names_of_a_run_are_texts(override, expected, refused):
    assert f"{override.partition('=')[0]}=" in refused(override)
    assert expected in refused(override)


def test_a_number_is_a_name_and_a_text_of_digits_is_a_number(smoke_config):
    cfg = smoke_config.copy()
    for override in ("label=5", "study=2026", "tags=null", "seed='3'", "total_env_steps='1e6'", "algo.tau='0.1'"):
        change(cfg, override)
    check_config(cfg)
    assert (cfg.label, cfg.study, cfg.seed, cfg.total_env_steps, cfg.algo.tau) == ("5", "2026", 3, 10**6, 0.1)
    assert type(cfg.total_env_steps) is int


@pytest.mark.parametrize("names", ["is_success", "[is success]", "[1]", "[a,a]", "['$x']", "3"])
def test_names_of_info_are_names(names, refused):
    assert "expected at most 100 names of what env.step puts into its info" in refused(f"callbacks.log_info={names}")


TRAINER = {
    "trainer.devices=0": "expected an integer of at least 1",
    "trainer.devices=-1": "expected an integer of at least 1",
    "trainer.devices=1.5": "expected an integer of at least 1",
    "trainer.devices=many": "expected an integer of at least 1",
    "trainer.devices=[0, 1]": "expected an integer of at least 1",
    "trainer.devices=300": "expected an integer of at most 256",
    "trainer.strategy=null": "choices are auto, ddp_find_unused_parameters_true",
    "trainer.max_time=5": "expected days:hours:minutes:seconds, as in 00:08:00:00",
    "trainer.max_time=00:30": "expected days:hours:minutes:seconds",
    "trainer.callbacks=[x]": "expected classes as in [{_target_: my_package.MyCallback}]",
    "trainer.callbacks=5": "expected classes as in",
    "trainer.detect_anomaly=maybe": "expected true or false",
    "trainer.benchmark=7": "expected true or false",
    "trainer.max_steps=7": "has no effect in a run of qtrl: write total_env_steps",
    "trainer.profiler=simple": "has no effect in a run of qtrl: flags are accelerator, ",
    "trainer.devcies=7": "has no effect in a run of qtrl: did you mean devices?",
}


@pytest.mark.parametrize("override", TRAINER)
def test_a_flag_of_the_trainer_that_cannot_work_is_told(override, refused):
    said = refused(override)
    assert override.partition("=")[0] in said
    assert TRAINER[override] in said


def test_what_to_write_instead_of_a_flag_is_a_key_of_the_run():
    trainer = OmegaConf.create({"max_epochs": 3})
    for keys, key in (({"epochs": 5}, "epochs"), ({"total_env_steps": 5}, "total_env_steps")):
        with pytest.raises(ConfigError, match=f"trainer.max_epochs=3 has no effect in a run of qtrl: write {key}$"):
            check_trainer(trainer, OmegaConf.create(keys))


@pytest.mark.parametrize("devices", ["1", "'1'", "1.0", "auto"])
def test_devices_of_a_cpu_are_a_whole_number(devices, smoke_config):
    cfg = smoke_config.copy()
    change(cfg, f"trainer.devices={devices}")
    check_config(cfg)
    assert cfg.trainer.devices in (1, "auto")


def test_flags_of_lightnings_own_optimization_are_for_tasks_that_leave_it_to_lightning(smoke_config):
    trainer = {"gradient_clip_val": 1.0}
    check_optimization(trainer, automatic=True)
    with pytest.raises(ConfigError, match=r"trainer.gradient_clip_val=1.0 has no effect .* write algo.max_gradient_n"):
        check_optimization(trainer, automatic=False)
