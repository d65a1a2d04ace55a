import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from qtrl.commands.command_line import describe
from qtrl.config.location import config_dir
from qtrl.errors import ConfigError
from qtrl.files.checkpoint import write_checkpoint

ROOT = Path(__file__).resolve().parents[2]
PENDULUM = ("experiment=pendulum_pqc", "debug=smoke", "logger=csv")
EXPERIMENTS = sorted(path.stem for path in Path(config_dir(), "experiment").glob("*.yaml"))
ENGINES = ("reference", "statevector", "torchquantum", "auto")

MISTAKES = {
    "no experiment": ((), ["which experiment?", "experiment=NAME", *EXPERIMENTS]),
    "unknown experiment": (("experiment=cartpole",), ["cartpole", *EXPERIMENTS]),
    "unknown block": ((*PENDULUM, "block=qpu"), ["qpu", "pqc", "fc", "rbg", "zeros"]),
    "unknown engine": ((*PENDULUM, "engine=qpu"), ["qpu", *ENGINES]),
    "unknown engine option": (
        (*PENDULUM, "engine=numba", "+engine.precise=true"),
        ["unknown key 'engine.precise': choices are none"],
    ),
    "mistyped key": ((*PENDULUM, "sede=1"), ["sede", "did you mean seed?", "total_env_steps"]),
    "mistyped key of a group": ((*PENDULUM, "algo.gama=1"), ["algo.gama", "did you mean gamma?", "tau"]),
    "key of a group without it": ((*PENDULUM, "gamma=1"), ["'gamma': did you mean algo.gamma?"]),
    "key that several have": ((*PENDULUM, "lr=1"), ["algo.actor_optimizer.lr or algo.critic_optimizer.lr or "]),
    "key where nothing stands": ((*PENDULUM, "env.kwargs.g=1"), ["write +env.kwargs.g=VALUE to add it"]),
    "key below the experiment": ((*PENDULUM, "+experiment.x=1"), ["unknown key 'experiment.x'"]),
    "argument that the run gives": ((*PENDULUM, "+algo.seed=1"), ["seed of qtrl.algos.TD3 has no effect"]),
    "no group": ((*PENDULUM, "logger=null"), ["logger=null chooses nothing: write logger=csv"]),
    "mistyped group": ((*PENDULUM, "blok=fc"), ["blok", "block"]),
    "no such syntax": ((*PENDULUM, "seed=[1"), ["seed=[1"]),
    "unknown word": ((*PENDULUM, "data.storage=tape"), ["data.storage=tape", "memory, memmap"]),
    "unknown environment": ((*PENDULUM, "env.id=Pendulam-v1"), ["Pendulam-v1", "Did you mean: `Pendulum`"]),
    "more parts than rows": ((*PENDULUM, "gradient.fit_batches=17"), ["17", "16"]),
    "no such accelerator": ((*PENDULUM, "trainer.accelerator=abacus"), ["abacus"]),
    "no such precision": ((*PENDULUM, "trainer.precision=7"), ["7"]),
    "scaled gradients that are limited": (
        (*PENDULUM, "algo.max_gradient_norm=1", "trainer.precision=16-mixed"),
        ["algo.max_gradient_norm does not go with trainer.precision=16-mixed"],
    ),
    "callback that never acts": (
        (*PENDULUM, "+trainer.callbacks=[{_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: loss}]"),
        ["EarlyStopping acts at the ends of epochs", "sets trainer.should_stop in on_train_batch_end"],
    ),
    "no row to learn from": (
        ("experiment=pendulum_zeros", *PENDULUM[1:], "data/transform=n_step", "data.transform.n_steps=1000"),
        ["the replay has no row yet when learning begins: raise warmup_env_steps, or lower data.transform.n_steps"],
    ),
    "precision that a CPU has not": ((*PENDULUM, "trainer.precision=16-mixed"), ["write trainer.precision=bf16-mixed"]),
    "clipping by Lightning": ((*PENDULUM, "+trainer.gradient_clip_val=1"), ["write algo.max_gradient_norm"]),
    "precision that circuits have not": ((*PENDULUM, "trainer.precision=64-true"), ["64-true", "32-true, bf16-mixed"]),
    "processes without ddp": ((*PENDULUM, "trainer.devices=2"), ["write trainer=ddp trainer.devices=2 trainer.accel"]),
    "machines without ddp": ((*PENDULUM, "+trainer.num_nodes=2"), ["trainer=ddp", "+trainer.num_nodes=2"]),
    "setting of a task": ((*PENDULUM, "+task.num_envs=2"), ["task.num_envs has no effect"]),
    "key of nothing": ((*PENDULUM, "+algo.n_step=3"), ["unknown key 'algo.n_step'", "tau"]),
    "no update": ((*PENDULUM, "updates_per_env_step=0.01"), ["owes no update in the 50 env steps", "raise the total"]),
    "no turn after warm-up": ((*PENDULUM, "num_envs=60", "warmup_env_steps=61"), ["owes no update in the 0 env steps"]),
    "no such device": ((*PENDULUM, "data.policy_device=gpu"), ["data.policy_device=gpu cannot be used here"]),
    "folder of Hydra": ((*PENDULUM, "hydra.run.dir=x"), ["hydra.run.dir=x has no effect", "run_dir=DIR"]),
    "no such checkpoint": ((*PENDULUM, "ckpt_path=/nowhere/a.ckpt"), ["no checkpoint at /nowhere/a.ckpt"]),
    "resume that is none": ((*PENDULUM, "resume=1"), ["resume=1 is unknown: choices are false, true, auto"]),
    "force that is none": ((*PENDULUM, "resume_force=maybe"), ["resume_force=maybe is unknown: choices are false"]),
    "trust of no list": ((*PENDULUM, "trust=foo"), ["trust=foo is not allowed: expected names"]),
    "resume of nothing": (("resume=true",), ["which run?", "run_dir"]),
    "resume of no run": (("resume=true", "run_dir=/nowhere/run"), ["/nowhere/run is not a run folder"]),
    "unknown gradient": (
        (*PENDULUM, "gradient=magic"),
        ["magic", "qtdnn", "exact", "parameter_shift", "spsa", "zero"],
    ),
    "option of another gradient": ((*PENDULUM, "gradient=zero", "gradient.hidden=8"), ["gradient.hidden"]),
    "gradient of a circuit whose outputs change places": (
        (*PENDULUM, "control=shuffled", "gradient=exact"),
        ["ExactEstimator", "Shuffled", "block=pqc", "gradient=qtdnn"],
    ),
    "circuit of plain TD3": ((*PENDULUM, "actor=mlp"), ["MLPActor", "PQC", "block=zeros", "actor=hybrid"]),
}


def the_line(err):
    """The one line that the command left on stderr."""
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("qtrl: ")
    return lines[0]


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_told_in_one_line_with_the_choices(case, train, capsys, tmp_path):
    arguments, words = MISTAKES[case]
    if not any(argument.startswith("run_dir") for argument in arguments):
        arguments = (*arguments, f"paths.runs={tmp_path / 'runs'}")
    assert train(*arguments) == 2
    line = the_line(capsys.readouterr().err)
    for word in words:
        assert word in line
    assert "Traceback" not in line


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


@pytest.mark.parametrize("content", ["a: [1", "- a list", ""])
def test_a_damaged_config_of_a_run_is_told(evaluate, train, capsys, tmp_path, content):
    (tmp_path / "config.yaml").write_text(content)
    assert train("resume=true", f"run_dir={tmp_path}") == 2
    assert "config.yaml is not" in the_line(capsys.readouterr().err)


@pytest.mark.parametrize("several", ["-m", "hydra.mode=MULTIRUN"])
def test_a_multirun_whose_folder_cannot_be_written_is_told(several, train, capsys, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device", "/sweep/multirun.yaml")

    monkeypatch.setattr(OmegaConf, "save", full)
    assert train(*PENDULUM, several, "seed=0", f"hydra.sweep.dir={tmp_path}") == 2
    line = the_line(capsys.readouterr().err)
    assert "/sweep/multirun.yaml cannot be written: No space left on device; choose another folder with hydra.s" in line


def test_tracebacks_are_there_for_who_asks(train, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(ConfigError, match=r"block\.shots=0"):
        train(*PENDULUM, "block.shots=0")


def test_a_command_leaves_the_environment_as_it_was(train, capsys):
    before = dict(os.environ)
    train(*PENDULUM, "block.shots=0")
    train("experiment=nothing")
    assert dict(os.environ) == before


@pytest.mark.parametrize(("jobs", "found"), [((), "mine"), (("-m",), None), (("hydra.mode=MULTIRUN",), None)])
def test_the_id_of_one_w_and_b_run_is_not_that_of_several(jobs, found, train, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setenv("WANDB_RUN_ID", "mine")
    monkeypatch.setattr(
        "qtrl.run.training.run_training", lambda cfg: seen.append(os.environ.get("WANDB_RUN_ID")) or 0.0
    )
    assert train(*jobs, *PENDULUM, f"paths.runs={tmp_path}") == 0
    assert seen == [found]
    assert os.environ["WANDB_RUN_ID"] == "mine"


def test_matplotlib_is_imported_whatever_backend_jupyter_left(train, monkeypatch):
    script = "import matplotlib, sys; sys.exit(matplotlib.rcParams['backend'].lower() != 'agg')"
    ends = []
    monkeypatch.setenv("MPLBACKEND", "module://of_jupyter.which_is_not_here")
    monkeypatch.setattr(
        "qtrl.run.training.run_training",
        lambda cfg: ends.append(subprocess.run([sys.executable, "-c", script], check=False).returncode) or 0.0,
    )
    assert train(*PENDULUM) == 0
    assert ends == [0]


def test_the_command_line_itself_ends_with_status_2_and_one_line(tmp_path):
    command = [sys.executable, "-m", "qtrl.train", "experiment=nothing", "paths.runs=runs"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stdout == ""
    assert all(name in the_line(done.stderr) for name in EXPERIMENTS)
    assert not list(tmp_path.iterdir())


def test_a_current_folder_that_was_removed_is_told(train, tmp_path, monkeypatch, capsys):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert train(*PENDULUM) == 2
    assert "the current folder cannot be used" in the_line(capsys.readouterr().err)


def test_an_error_of_unknown_origin_is_told_as_it_is():
    assert describe(RuntimeError("first\n  second\n")) == "first second"
