import os
import subprocess
import sys
from pathlib import Path

import pytest

from qtrl.config.secrets import refuse_secret_arguments, refuse_secrets
from qtrl.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
CANARY = "canary-that-must-not-sing"
SMOKE = ("experiment=pendulum_pqc", "debug=smoke", "callbacks.test_max_episode_steps=5")
ARGUMENTS = {
    "a key": f"+my_api_key={CANARY}",
    "a nested key": f"+extra.hf_token={CANARY}",
    "a key of Hydra's": f"+hydra.job.env_set.MY_PASSWORD={CANARY}",
    "a value": f"logger.project={CANARY}",
    "a part of a value": f"tags=[a-{CANARY}-b]",
    "a value for Hydra": f"+hydra.job.env_set.X={CANARY}",
    "a reference": "logger.project=${oc.env:MY_TOKEN}",
    "a reference with a default": "logger.project=${oc.env:MY_TOKEN,none}",
    "a reference to nothing": "logger.project=${oc.env:OTHER_SECRET,none}",
    "a path": f"run_dir={CANARY}/run",
}


@pytest.fixture
def canary(monkeypatch):
    monkeypatch.setenv("MY_TOKEN", CANARY)


@pytest.mark.parametrize("case", ARGUMENTS)
@pytest.mark.parametrize("multirun", [False, True])
def test_a_secret_on_the_command_line_is_refused_and_not_told(
    case, multirun, train, capsys, canary, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert train(*SMOKE, ARGUMENTS[case], *(["--multirun"] if multirun else [])) == 2
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert "secret" in line
    assert CANARY not in out + err
    assert not list(tmp_path.iterdir())


def test_an_evaluation_refuses_them_too(evaluate, capsys, canary, tmp_path):
    for argument in (f"+my_token={CANARY}", f"run={tmp_path}/{CANARY}", "run=${oc.env:MY_TOKEN}"):
        assert evaluate(argument) == 2
        err = capsys.readouterr().err
        assert "secret" in err
        assert CANARY not in err


@pytest.mark.parametrize("values", [{"logger.api_key": "abcdefghi"}, {"logger.project": f"x{CANARY}"}])
def test_a_saved_config_with_one_is_refused(values, edit, refused, canary):
    edit(values)
    line = refused("train")
    assert "secret" in line
    assert CANARY not in line


@pytest.mark.parametrize("name", ["api_key", "APIKEY", "wandb_token", "Secret", "password", "db_passwd", "credentials"])
def test_names_of_secrets(name):
    from omegaconf import OmegaConf

    with pytest.raises(ConfigError, match="looks like a secret"):
        refuse_secrets(OmegaConf.create({"a": {name: "x"}}))
    refuse_secrets(OmegaConf.create({"a": {name: None}, "b": {name: ""}}))


def test_what_is_no_secret_passes(monkeypatch, tmp_path):
    from omegaconf import OmegaConf

    monkeypatch.setenv("SHORT_TOKEN", "runs")
    monkeypatch.setenv("APPLICATION_CREDENTIALS", str(tmp_path))
    monkeypatch.setenv("NO_MATTER", "experiment")
    refuse_secrets(
        OmegaConf.create({"paths": {"runs": f"{tmp_path}/runs"}, "home": "${oc.env:HOME}", "a": "experiment"})
    )


@pytest.mark.parametrize("number", ["8", "8,16", "-1e-4", "true", "null"])
def test_a_number_is_no_secret_whatever_its_name(number, monkeypatch):
    from omegaconf import OmegaConf

    monkeypatch.setattr(sys, "argv", ["qtrl", f"+block.n_tokens={number}", "-m"])
    refuse_secret_arguments()
    refuse_secrets(OmegaConf.create({"block": {"n_tokens": [8, 1e-4, True]}}))


def test_the_variable_is_named_and_its_value_is_not(train, capsys, canary):
    assert train(*SMOKE, f"logger.project={CANARY}") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "MY_TOKEN" in line
    assert CANARY not in line


def test_a_lower_case_word_is_no_secret(compose, monkeypatch):
    monkeypatch.setenv("MY_SECRET_NAME", "pendulum")
    refuse_secrets(compose(*SMOKE))
    monkeypatch.setenv("MY_SECRET_NAME", "pendulum_pqc")
    with pytest.raises(ConfigError, match="MY_SECRET_NAME"):
        refuse_secrets(compose(*SMOKE))


@pytest.mark.slow
def test_no_canary_is_in_anything_that_a_run_writes(tmp_path):
    """In the environment, in the netrc file and in the git remote; the command line and the config refuse them."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    remote = f"https://user:{CANARY}@example.invalid/x.git"
    subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", remote], check=True)
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine api.wandb.ai login user password {CANARY}\n")
    names = ("WANDB_API_KEY", "MY_TOKEN", "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY")
    hidden = {name: f"{CANARY}-{name}-{'f' * 40}" for name in names}
    environment = {**os.environ, **hidden, "NETRC": str(netrc), "PYTHONPATH": str(ROOT), "WANDB_MODE": "offline"}
    for module, *arguments in (
        ("qtrl.train", *SMOKE, "run_dir=run", "num_threads=1"),
        ("qtrl.train", "run_dir=run", "resume=true", "total_env_steps=102"),
        ("qtrl.eval", "run=run", "episodes=1"),
        ("qtrl.export", "run=run", "to=exported"),
        ("qtrl.train", "run_dir=run", "resume=true", "seed=1"),
    ):
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=300)
        assert done.returncode == (2 if "seed=1" in arguments else 0), done.stderr
        assert CANARY.encode() not in done.stdout + done.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path != netrc and ".git" not in path.parts]
    assert any(path.suffix == ".wandb" for path in files)
    assert any(path.suffix == ".ckpt" for path in files)
    for path in files:
        assert CANARY.encode() not in path.read_bytes(), path
