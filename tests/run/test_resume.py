import functools

import pytest

from qtrl.errors import QtrlError
from qtrl.run.resolve import resolve

PENDULUM = ("experiment=paper/pendulum_pqc", "logger=csv")


@pytest.fixture(scope="module")
def saved(compose):
    """The text of the config of a run that begins."""
    return functools.cache(lambda *overrides: resolve(compose(*overrides, "run_dir=run"))[1])


@pytest.fixture
def begin(saved, tmp_path):
    """Save the config of a run that begins, with a checkpoint beside it; return its folder as an override."""

    def begun(*overrides):
        (tmp_path / "config.yaml").write_text(saved(*overrides))
        (tmp_path / "checkpoints").mkdir()
        (tmp_path / "checkpoints" / "last.ckpt").touch()
        return f"run_dir={tmp_path}"

    return begun


@pytest.fixture
def refusal(compose):
    """Return the one line that a command is refused with."""

    def refused(*overrides):
        with pytest.raises(QtrlError) as caught:
            resolve(compose(*overrides))
        assert str(caught.value).isprintable()
        return str(caught.value)

    return refused


@pytest.mark.parametrize("number", ["1e-4", "1E-4", "0.0001", "0.1e-3"])
def test_a_learning_rate_is_changed_by_the_documented_line(number, begin, compose):
    here = begin(*PENDULUM)
    cfg, _ = resolve(compose(here, "resume=true", "resume_force=true", f"algo.critic_optimizer.lr={number}"))
    assert cfg.algo.critic_optimizer.lr == 1e-4


SAID_AGAIN = (
    "algo.critic_optimizer={lr:1e-3}",
    "++algo.critic_optimizer.lr=1e-3",
    "tags=[pendulum, pqc]",
    "experiment=paper/pendulum_pqc",
    "logger=csv",
    "gradient=qtdnn",
    "optim@algo.actor_optimizer=adam",
    "algo.compile_mode=null",
    "resume_force=false",
    "trust=[a.B]",
)


@pytest.mark.parametrize("own", SAID_AGAIN)
def test_what_a_run_was_begun_with_may_be_said_again(own, begin, compose):
    resolve(compose(begin(*PENDULUM), "resume=true", own))


def test_so_may_all_of_it_where_the_whole_config_is_compared(begin, compose):
    own = [override for override in SAID_AGAIN if override not in PENDULUM]
    resolve(compose(*PENDULUM, begin(*PENDULUM), "resume=auto", *own))


def changes():
    """With `resume=auto` the composed configs are compared, however a key was changed."""
    auto = ("algo.critic_optimizer.lr=1e-4", "~algo.gamma", "block=fc", "tags=[a]")
    for change, words in CHANGES.items():
        yield from ((change, words, resume) for resume in ("true", "auto") if resume == "true" or change in auto)


CHANGES = {
    "algo.critic_optimizer.lr=1e-4": "algo.critic_optimizer.lr cannot change from 0.001 to 0.0001",
    "++algo.critic_optimizer.lr=1e-4": "algo.critic_optimizer.lr cannot change from 0.001 to 0.0001",
    "algo.critic_optimizer={lr:1e-4}": "algo.critic_optimizer.lr cannot change from 0.001 to 0.0001",
    "+algo.critic_optimizer.weight_decay=0.5": "algo.critic_optimizer.weight_decay cannot change from nothing to",
    "~algo.gamma": "algo.gamma cannot change from 0.99 to nothing",
    "optim@algo.actor_optimizer=adamw": "algo.actor_optimizer._target_ cannot change from 'qtrl.algos.FusedAdam'",
    "gradient=zero": "gradient._target_ cannot change from 'qtrl.nn.QtDNNEstimator' to",
    "tags=[a]": "tags cannot change from",
    "block=fc": "block._target_ cannot change from 'qtrl.nn.PQC' to 'qtrl.nn.FC'",
    "circuit.reps=2": "circuit.reps cannot change from",
    "block.shots=${seed}": "block.shots cannot change from 100 to 0",
    "shots=3": "shots cannot change from 100 to 3",
}


@pytest.mark.parametrize(("change", "words", "resume"), list(changes()))
def test_whatever_else_changes_is_named(change, words, resume, begin, refusal):
    here = begin(*PENDULUM)
    line = refusal(*(PENDULUM if resume == "auto" else ()), here, f"resume={resume}", change)
    assert words in line
    assert "only total_env_steps may" in line


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("csv", "wandb", "logger cannot change from {} to {'_partial_'"),
        ("wandb", "csv", "logger cannot change from {'_partial_'"),
    ],
)
@pytest.mark.parametrize("resume", ["true", "auto"])
def test_another_logger_is_named_although_one_has_no_keys(first, second, words, resume, begin, refusal):
    here = begin("experiment=paper/pendulum_pqc", f"logger={first}")
    experiment = ["experiment=paper/pendulum_pqc"] if resume == "auto" else []
    assert words in refusal(*experiment, here, f"resume={resume}", f"logger={second}")


def test_the_default_logger_is_named_where_the_run_began_with_another(begin, refusal):
    assert "logger cannot change from {}" in refusal("experiment=paper/pendulum_pqc", begin(*PENDULUM), "resume=auto")


@pytest.mark.parametrize("resume", ["true", "auto"])
def test_with_force_a_key_is_added_changed_and_taken_away(resume, begin, compose):
    here = begin("experiment=paper/pendulum_pqc", "logger=wandb", "+algo.actor_optimizer.weight_decay=0.1")
    changes = ["logger=csv", "+algo.critic_optimizer.weight_decay=0.5", "circuit.reps=2"]
    taken = ["~algo.gamma"]
    experiment = ["experiment=paper/pendulum_pqc"] if resume == "auto" else []
    cfg, _ = resolve(compose(*experiment, here, f"resume={resume}", "resume_force=true", *changes, *taken))
    assert (cfg.logger, cfg.algo.critic_optimizer.weight_decay) == ({}, 0.5)
    assert (cfg.circuit.reps, cfg.block.circuit.reps) == (2, 2)
    assert "gamma" not in cfg.algo
    assert ("weight_decay" in cfg.algo.actor_optimizer) == (resume == "true")


@pytest.mark.parametrize("resume", ["true", "auto"])
def test_no_secret_is_told_by_the_line_that_names_a_change(resume, begin, refusal, tmp_path, monkeypatch):
    here = begin("experiment=paper/pendulum_pqc", "logger=wandb")
    path = tmp_path / "config.yaml"
    path.write_text(path.read_text().replace("entity: null", "entity: canary-that-must-not-sing"))
    monkeypatch.setenv("MY_TOKEN", "canary-that-must-not-sing")
    experiment = ["experiment=paper/pendulum_pqc"] if resume == "auto" else []
    line = refusal(*experiment, here, f"resume={resume}", "logger=wandb")
    assert "MY_TOKEN" in line
    assert "canary" not in line


@pytest.mark.parametrize("unknown", ["debug=smoke", "block.frequency=2", "~block.frequency"])
def test_a_key_that_the_run_does_not_have_is_unknown(unknown, begin, compose):
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    here = begin(*PENDULUM)
    with pytest.raises((QtrlError, HydraException, OmegaConfBaseException)):
        resolve(compose(here, "resume=true", unknown))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("+block._convert_=all", "'block' has the key '_convert_', which is not allowed"),
        ("+block._recursive_=false", "'block' has the key '_recursive_', which is not allowed"),
        ("+note=hello", "key 'note' is unknown"),
        ("tags=['a\\nb']", "'tags[0]' is "),
        ("logger.project='a\tb'", "'logger.project' is 'a\\tb', expected printable text"),
        ("block._target_=3", "'block' names 3, which is no class"),
        ("env.id=3", "env.id is 3, expected the id"),
        (f"logger.project={'x' * 1001}", "'logger.project' is too long: 1,001"),
    ],
)
def test_a_run_that_could_not_be_gone_on_with_does_not_begin(override, words, refusal, tmp_path):
    override = override.replace("\\n", "\n")
    line = refusal("experiment=paper/pendulum_pqc", f"run_dir={tmp_path / 'run'}", override)
    assert "no run could resume with this config: " in line
    assert words in line


def test_a_multirun_that_goes_on_needs_a_folder_that_stays_the_same(train, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert train("-m", *PENDULUM, "debug=smoke", "resume=auto") == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "add hydra.sweep.dir=runs/NAME" in line
    assert not list(tmp_path.rglob("config.yaml"))


def test_a_multirun_goes_on_in_its_folder(train, tmp_path):
    small = (*PENDULUM, "debug=smoke", "callbacks.test_max_episode_steps=5", "block=zeros", "resume=auto")
    small += ("callbacks.probe_every_env_steps=null", "actor.hidden=16", "critic.hidden=16")
    for steps in (60, 70):
        arguments = (*small, f"hydra.sweep.dir={tmp_path}", "seed=0", f"total_env_steps={steps}")
        assert train("-m", *arguments) == 0
    rows = (tmp_path / "0" / "metrics.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in rows][-1] == "70"
    assert {"60"} <= {row.partition(",")[0] for row in rows}
