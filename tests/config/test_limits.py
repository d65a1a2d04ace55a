import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from omegaconf import OmegaConf

from qtrl.config.limits import check_config
from qtrl.config.location import config_dir
from qtrl.errors import ConfigError
from qtrl.files.checkpoint import write_checkpoint

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.usefixtures("toy_envs")

PENDULUM = ("experiment=pendulum_pqc", "debug=smoke", "logger=csv")
EXPERIMENTS = sorted(path.stem for path in Path(config_dir(), "experiment").glob("*.yaml"))
ENGINES = ("reference", "statevector", "torchquantum", "auto")

CONFIG_MISTAKES = {
    "no experiment": ((), ["which experiment?", "experiment=NAME", *EXPERIMENTS]),
    "unknown experiment": (("experiment=cartpole",), ["cartpole", *EXPERIMENTS]),
    "unknown block": ((*PENDULUM, "block=qpu"), ["qpu", "pqc", "fc", "rbg", "zeros"]),
    "unknown engine": ((*PENDULUM, "engine=qpu"), ["qpu", *ENGINES]),
    "unknown candidate": ((*PENDULUM, "engine.candidates=[qpu]"), ["qpu", *ENGINES[:3]]),
    "unknown engine option": (
        (*PENDULUM, "engine=numba", "+engine.precise=true"),
        ["NumbaEngine() takes no arguments"],
    ),
    "mistyped key": ((*PENDULUM, "sede=1"), ["sede", "did you mean seed?", "total_env_steps"]),
    "mistyped key of a group": ((*PENDULUM, "algo.gama=1"), ["algo.gama", "did you mean gamma?", "tau"]),
    "no group": ((*PENDULUM, "logger=null"), ["Config group override must be a string"]),
    "mistyped group": ((*PENDULUM, "blok=fc"), ["blok", "block"]),
    "no such syntax": ((*PENDULUM, "seed=[1"), ["seed=[1"]),
    "unknown readout": ((*PENDULUM, "block.readout=peek"), ["peek", "sample", "mean", "majority", "most_probable"]),
    "unknown storage": ((*PENDULUM, "data.storage=tape"), ["tape", "memory", "memmap"]),
    "unknown surrogate value": ((*PENDULUM, "gradient.value=x"), ["'x'", "surrogate", "block"]),
    "unknown pairs": ((*PENDULUM, "gradient.pairs=x"), ["'x'", "stored", "fresh"]),
    "unknown entanglement": ((*PENDULUM, "circuit.entanglement=x"), ["x", "linear"]),
    "unknown rotation": ((*PENDULUM, "circuit.rotations=[rq]"), ["rq", "ry"]),
    "unknown checkpoint_replay": ((*PENDULUM, "checkpoint_replay=all"), ["all", "last, none"]),
    "unknown vector": ((*PENDULUM, "env.vector=cloud"), ["env.vector=cloud", "serial, threads, processes"]),
    "overlap of nothing": ((*PENDULUM, "data.overlap=true"), ["data.overlap=true", "env.vector=threads or processes"]),
    "overlap that is no truth value": ((*PENDULUM, "data.overlap=no"), ["data.overlap=no", "false, true"]),
    "unknown matmul precision": ((*PENDULUM, "matmul_precision=low"), ["low", "highest", "high", "medium"]),
    "unknown compile mode": ((*PENDULUM, "algo.compile_mode=fast"), ["fast", "null", "default", "reduce-overhead"]),
    "unknown metric": ((*PENDULUM, "optimized_metric=loss"), ["loss", "test/return_mean", "test/best_return"]),
    "unknown environment": ((*PENDULUM, "env.id=Pendulam-v1"), ["Pendulam-v1", "Did you mean: `Pendulum`"]),
    "unknown module of an environment": ((*PENDULUM, "env.id=nowhere:X-v0"), ["nowhere"]),
    "discrete actions": ((*PENDULUM, "env.id=CartPole-v1"), ["CartPole-v1", "Discrete", "Box"]),
    "unbounded actions": ((*PENDULUM, "env.id=toy_envs:EchoUnbounded-v0"), ["finite bounds"]),
    "shots=0": ((*PENDULUM, "block.shots=0"), ["block.shots=0", "integer of at least 1"]),
    "no qubits": ((*PENDULUM, "circuit.n_qubits=0"), ["circuit.n_qubits=0", "at least 1"]),
    "too many qubits": ((*PENDULUM, "circuit.n_qubits=60", "circuit.reps=0"), ["60"]),
    "more parts than rows": ((*PENDULUM, "gradient.fit_batches=17"), ["17", "16"]),
    "warm-up as long as the run": ((*PENDULUM, "warmup_env_steps=100"), ["warmup_env_steps=100", "below"]),
    "no such accelerator": ((*PENDULUM, "trainer.accelerator=abacus"), ["abacus"]),
    "no such precision": ((*PENDULUM, "trainer.precision=7"), ["7"]),
    "no such optimizer option": ((*PENDULUM, "+algo.actor_optimizer.momentom=1"), ["qtrl.algos.FusedAdam", "momentom"]),
    "no such checkpoint": ((*PENDULUM, "ckpt_path=/nowhere/a.ckpt"), ["no checkpoint at /nowhere/a.ckpt"]),
    "resume of nothing": (("resume=true",), ["which run?", "run_dir"]),
    "resume of no run": (("resume=true", "run_dir=/nowhere/run"), ["/nowhere/run is not a run folder"]),
    "unknown gradient": (
        (*PENDULUM, "gradient=magic"),
        ["magic", "qtdnn", "exact", "parameter_shift", "spsa", "zero"],
    ),
    "gradient of no circuit": (
        ("experiment=pendulum_rbg", "debug=smoke", "block.surrogate=true", "gradient=exact"),
        ["RBG", "block=pqc", "block.surrogate=false", "gradient=qtdnn"],
    ),
    "option of another estimator": ((*PENDULUM, "gradient=zero", "gradient.hidden=8"), ["gradient.hidden"]),
    "gradient of a circuit whose outputs change places": (
        (*PENDULUM, "control=shuffled", "gradient=exact"),
        ["ExactEstimator", "Shuffled", "block=pqc", "gradient=qtdnn"],
    ),
    "circuit of plain TD3": ((*PENDULUM, "actor=mlp"), ["MLPActor", "PQC", "block=zeros", "actor=hybrid"]),
    "surrogate of fc": (("experiment=pendulum_fc", "debug=smoke", "block.surrogate=true"), ["block.surrogate=false"]),
}

SIZES = [
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
    "algo.target_noise=-1",
    "algo.actor_optimizer.lr=-1",
    "algo.actor_optimizer.lr=???",
    "actor.angle_scale=0",
    "block.readout_error=-0.1",
    "block.readout_error=0.6",
    "circuit.reps=-1",
    "gradient.hidden=0",
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


def the_line(err):
    """The one line that the command left on stderr."""
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("qtrl: ")
    return lines[0]


@pytest.mark.parametrize("case", CONFIG_MISTAKES)
def test_a_mistake_is_told_in_one_line_with_the_choices(case, train, capsys, tmp_path):
    arguments, words = CONFIG_MISTAKES[case]
    if not any(argument.startswith("run_dir") for argument in arguments):
        arguments = (*arguments, f"paths.runs={tmp_path / 'runs'}")
    assert train(*arguments) == 2
    line = the_line(capsys.readouterr().err)
    for word in words:
        assert word in line
    assert "Traceback" not in line


@pytest.fixture(scope="module")
def smoke_config(compose):
    return compose(*PENDULUM)


@pytest.mark.parametrize("override", SIZES)
def test_a_number_out_of_range_is_told_with_its_limits(override, smoke_config):
    key, _, value = override.partition("=")
    cfg = smoke_config.copy()
    check_config(cfg)
    OmegaConf.update(cfg, key, float(value) if value == "nan" else yaml.safe_load(value))
    with pytest.raises(ConfigError) as caught:
        check_config(cfg)
    assert str(caught.value).lower().startswith(f"{override} is not allowed: expected ")
    assert "\n" not in str(caught.value)


def test_a_number_out_of_range_leaves_no_run_folder(train, capsys, tmp_path):
    assert train(*PENDULUM, "data.capacity=-1", f"run_dir={tmp_path / 'run'}") == 2
    line = the_line(capsys.readouterr().err)
    assert line == "qtrl: data.capacity=-1 is not allowed: expected an integer of at least 1"
    assert not (tmp_path / "run").exists()


def test_a_run_folder_that_exists_is_refused(train, capsys, tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    assert train(*PENDULUM, f"run_dir={tmp_path}") == 2
    line = the_line(capsys.readouterr().err)
    assert f"run_dir={tmp_path} exists and is not empty" in line
    assert "resume=true" in line
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_a_run_folder_that_is_a_file_is_refused(train, capsys, tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    for run_dir in (path, path / "run"):
        assert train(*PENDULUM, f"run_dir={run_dir}") == 2
        assert f"run_dir={run_dir}" in the_line(capsys.readouterr().err)
    assert path.read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_run_folder_that_cannot_be_written_is_refused(train, capsys, tmp_path):
    tmp_path.chmod(0o500)
    assert train(*PENDULUM, f"run_dir={tmp_path / 'run'}") == 2
    assert "cannot be written: Permission denied" in the_line(capsys.readouterr().err)


def test_a_run_folder_on_a_file_system_without_write_access_is_refused(train, capsys):
    assert train(*PENDULUM, "run_dir=/proc/qtrl/run") == 2
    assert "run_dir=/proc/qtrl/run cannot be written" in the_line(capsys.readouterr().err)


@pytest.mark.parametrize("content", ["text", "pickle", "tensors"])
def test_what_is_no_checkpoint_is_refused(train, capsys, tmp_path, content):
    path = tmp_path / "a.ckpt"
    if content == "text":
        path.write_text("not a checkpoint")
    else:
        torch.save(Path("/") if content == "pickle" else {"weights": torch.zeros(1)}, path)
    assert train(*PENDULUM, f"ckpt_path={path}", f"run_dir={tmp_path / 'run'}") == 2
    assert f"{path} is not a checkpoint" in the_line(capsys.readouterr().err)
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_of_another_architecture_is_refused(train, capsys, tmp_path):
    path = tmp_path / "a.ckpt"
    write_checkpoint({"state_dict": {"actor.post.0.bias": torch.zeros(3)}}, path)
    assert train(*PENDULUM, f"ckpt_path={path}", f"run_dir={tmp_path / 'run'}") == 2
    line = the_line(capsys.readouterr().err)
    assert f"{path} belongs to another architecture" in line
    assert "use the env, block, circuit and sizes that it was trained with" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ["which run?"]),
        (("run=/nowhere",), ["/nowhere is not a run folder"]),
        (("run=/nowhere", "checkpoint=worst"), ["worst", "last, best"]),
        (("run=/nowhere", "episodes=0"), ["episodes=0", "at least 1"]),
        (("run=/nowhere", "shots=0"), ["shots=0", "at least 1"]),
        (("run=/nowhere", "seed=-1"), ["seed=-1"]),
        (("run=/nowhere", "readout_error=0.6"), ["readout_error=0.6", "at most 0.5"]),
        (("run=/nowhere", "readout_error=-0.1"), ["readout_error=-0.1", "at least 0"]),
        (("run=/nowhere", "readout_error=some"), ["readout_error=some", "a number"]),
        (("run=/nowhere", "engine=qpu"), ["qpu", *ENGINES]),
        (("run=/nowhere", "episode=3"), ["episode", "did you mean episodes?"]),
    ],
)
def test_mistakes_of_an_evaluation(evaluate, capsys, arguments, words):
    assert evaluate(*arguments) == 2
    line = the_line(capsys.readouterr().err)
    assert all(word in line for word in words), line


@pytest.mark.parametrize("content", ["a: [1", "- a list", ""])
def test_a_damaged_config_of_a_run_is_told(evaluate, train, capsys, tmp_path, content):
    (tmp_path / "config.yaml").write_text(content)
    assert train("resume=true", f"run_dir={tmp_path}") == 2
    assert "config.yaml is not" in the_line(capsys.readouterr().err)


def test_a_run_without_checkpoint_is_told(evaluate, capsys, tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"env": {"id": "Pendulum-v1"}}))
    assert evaluate(f"run={tmp_path}") == 2
    assert f"no checkpoint at {tmp_path}/checkpoints/last.ckpt" in the_line(capsys.readouterr().err)


def test_tracebacks_are_there_for_who_asks(train, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(ConfigError, match=r"block\.shots=0"):
        train(*PENDULUM, "block.shots=0")


def test_a_command_leaves_the_environment_as_it_was(train, capsys):
    before = dict(os.environ)
    train(*PENDULUM, "block.shots=0")
    train("experiment=nothing")
    assert dict(os.environ) == before


def test_the_command_line_itself_ends_with_status_2_and_one_line(tmp_path):
    command = [sys.executable, "-m", "qtrl.train", "experiment=nothing", "paths.runs=runs"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stdout == ""
    assert all(name in the_line(done.stderr) for name in EXPERIMENTS)
    assert not list(tmp_path.iterdir())
