import io
import os
import zipfile
from pathlib import Path

import pytest
import torch

from qtrl.callbacks import AtomicCheckpointIO
from qtrl.errors import CheckpointError
from qtrl.files.checkpoint import read_checkpoint, write_checkpoint

COMMANDS = ("eval", "train", "load")
NO, FORCE, FORCE_NOT = {}, {"TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1"}, {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}


class Payload:
    """Makes a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def last(run):
    return run / "checkpoints" / "last.ckpt"


@pytest.fixture
def rewrite(run):
    """Change the copy's last checkpoint by a function, and sign it as qtrl does; there is no previous one."""

    def change(function):
        checkpoint = read_checkpoint(last(run))
        function(checkpoint)
        for path in (last(run).with_name("last.ckpt.prev"), last(run)):
            path.unlink(missing_ok=True)
        write_checkpoint(checkpoint, last(run))
        return last(run)

    return change


@pytest.mark.parametrize("variables", [NO, FORCE, FORCE_NOT], ids=["default", "forced", "forced not"])
@pytest.mark.parametrize("weights_only", [None, True, False])
def test_a_pickle_in_a_checkpoint_is_not_run(weights_only, variables, tmp_path, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "a.ckpt"
    torch.save({"state_dict": {}, "bomb": Payload(tmp_path / "boom")}, path)
    with pytest.raises(CheckpointError, match="is not a checkpoint that loads with weights_only=True"):
        AtomicCheckpointIO().load_checkpoint(path, weights_only=weights_only)
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize("variables", [NO, FORCE_NOT], ids=["default", "forced not"])
@pytest.mark.parametrize("command", [*COMMANDS, "ckpt_path"])
def test_commands_do_not_run_it_either(command, variables, run, train, refused, capsys, tmp_path, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    last(run).with_name("last.ckpt.prev").unlink()
    torch.save({"state_dict": {}, "bomb": Payload(tmp_path / "boom")}, last(run))
    if command == "ckpt_path":
        options = ("experiment=pendulum_pqc", "debug=smoke", "logger=csv", f"run_dir={tmp_path / 'new'}")
        assert train(*options, f"ckpt_path={last(run)}") == 2
        assert "is not a checkpoint that loads with weights_only=True" in capsys.readouterr().err
    else:
        assert "is not a checkpoint that loads with weights_only=True" in refused(command)
    assert not (tmp_path / "boom").exists()


def test_commands_forbid_pickles_to_every_library(train, monkeypatch):
    seen = {}
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    monkeypatch.setattr("qtrl.run.training.run_training", lambda cfg: seen.update(os.environ) or 0.0)
    assert train("experiment=pendulum_pqc") == 0
    assert seen["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] == "1"
    assert "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" not in seen
    assert os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] == "1"


@pytest.mark.parametrize("key", ["_instantiator", "_class_path"])
def test_hyper_parameters_of_lightning_are_not_looked_at(key, rewrite, run, train, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rewrite(lambda c: c.update(hyper_parameters={key: "os.system", "command": "touch boom"}, hparams_name="kwargs"))
    assert train("resume=true", f"run_dir={run}", "total_env_steps=102") == 0
    assert not (tmp_path / "boom").exists()
    assert "hyper_parameters" not in read_checkpoint(last(run))


def test_states_of_other_callbacks_delete_nothing(rewrite, run, train, tmp_path):
    inside, folder = run / "checkpoints" / "mine.ckpt", run / "checkpoints" / "mine"
    outside, linked = tmp_path / "precious.txt", tmp_path / "linked.txt"
    folder.mkdir()
    victims = [inside, folder / "kept.txt", outside, linked]
    for victim in victims:
        victim.write_text("precious")
    checkpoints = run / "checkpoints"
    paths = [checkpoints / ".." / ".." / ".." / "precious.txt", inside, folder, linked]
    for name in ("ModelCheckpoint", "ModelCheckpoint{'monitor': 'loss', 'mode': 'min'}"):
        for path in paths:
            state = {
                "best_model_path": str(path),
                "last_model_path": str(path),
                "kth_best_model_path": str(path),
                "best_k_models": {str(path): torch.tensor(0.0)},
                "dirpath": str(checkpoints),
                "monitor": "loss",
            }
            rewrite(lambda c, name=name, state=state: c["callbacks"].update({name: state}))
    assert train("resume=true", f"run_dir={run}", "total_env_steps=102") == 0
    assert all(victim.read_text() == "precious" for victim in victims)
    assert not any("ModelCheckpoint" in name for name in read_checkpoint(last(run))["callbacks"])


def first_moments(checkpoint):
    return checkpoint["optimizer_states"][0]["state"][0]


LIES = {
    "no weights": lambda c: c.update(state_dict=[]),
    "weights that are numbers": lambda c: c["state_dict"].update({"actor.pre.0.bias": 1.0}),
    "weights without memory": lambda c: c["state_dict"].update(
        {"actor.pre.0.weight": torch.zeros(1).expand(10**6, 10**6)}
    ),
    "sparse weights": lambda c: c["state_dict"].update({"actor.pre.0.bias": torch.zeros(16).to_sparse()}),
    "integer weights": lambda c: c["state_dict"].update({"actor.pre.0.bias": torch.zeros(16, dtype=torch.int64)}),
    "a name that is none": lambda c: c["state_dict"].update({"a\n\x1b[2J" * 1000: torch.zeros(1)}),
    "a number as name": lambda c: c["state_dict"].update({1: torch.zeros(1)}),
    "no env steps": lambda c: c.pop("env_steps"),
    "negative env steps": lambda c: c.update(env_steps=-1),
    "endless env steps": lambda c: c.update(env_steps=10**400),
    "env steps that are text": lambda c: c.update(env_steps="100"),
    "true updates": lambda c: c.update(updates=True),
}
LIES_OF_A_RUN = {
    "no optimizers": lambda c: c.pop("optimizer_states"),
    "two optimizers": lambda c: c["optimizer_states"].pop(),
    "an optimizer that is none": lambda c: c["optimizer_states"].__setitem__(0, 7),
    "moments of another shape": lambda c: first_moments(c).update(exp_avg=torch.zeros(3)),
    "moments that are too short": lambda c: first_moments(c).update(exp_avg_sq=torch.zeros(1)),
    "moments of another type": lambda c: first_moments(c).update(exp_avg=torch.zeros(2, 16, 16, dtype=torch.int8)),
    "complex moments": lambda c: first_moments(c).update(exp_avg=torch.zeros(2, 16, 16, dtype=torch.complex64)),
    "moments that are numbers": lambda c: first_moments(c).update(exp_avg=0.0),
    "no moments": lambda c: first_moments(c).pop("exp_avg"),
    "steps that are many": lambda c: first_moments(c).update(step=torch.zeros(5)),
    "a parameter too many": lambda c: c["optimizer_states"][0]["state"].update({7: first_moments(c)}),
    "a parameter below zero": lambda c: c["optimizer_states"][0]["state"].update({-1: first_moments(c)}),
    "no loops": lambda c: c.pop("loops"),
    "no callbacks": lambda c: c.update(callbacks=[]),
    "no version": lambda c: c.pop("pytorch-lightning_version"),
    "no such version": lambda c: c.update({"pytorch-lightning_version": "2.6\n"}),
}


@pytest.mark.parametrize("case", LIES)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_checkpoint_that_lies_is_refused_in_one_line(case, command, rewrite, refused):
    path = rewrite(LIES[case])
    assert str(path) in refused(command)


@pytest.mark.parametrize("case", LIES_OF_A_RUN)
def test_a_run_does_not_go_on_from_a_lie(case, rewrite, refused):
    path = rewrite(LIES_OF_A_RUN[case])
    assert str(path) in refused("train")


def test_settings_of_optimizers_come_from_the_config(rewrite, run, train):
    def change(checkpoint):
        for state in checkpoint["optimizer_states"]:
            state["param_groups"] = [{"lr": float("nan"), "amsgrad": True, "capturable": True, "params": [0, 0, 10**9]}]

    rewrite(change)
    assert train("resume=true", f"run_dir={run}", "total_env_steps=102") == 0
    after = read_checkpoint(last(run))
    assert [state["param_groups"][0]["lr"] for state in after["optimizer_states"]] == [1e-3, 3e-4, 1e-3]
    assert all(value.isfinite().all() for value in after["state_dict"].values())


def archived(path, *, compression=zipfile.ZIP_STORED):
    """The parts of a checkpoint, packed again."""
    packed = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(packed, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return packed.getvalue()


def test_a_compressed_archive_is_refused(tmp_path):
    path = tmp_path / "a.ckpt"
    torch.save({"state_dict": {"a": torch.zeros(10_000_000)}}, path)
    path.write_bytes(archived(path))
    read_checkpoint(path)
    path.write_bytes(archived(path, compression=zipfile.ZIP_DEFLATED))
    assert path.stat().st_size < 100_000
    with pytest.raises(CheckpointError, match="it is compressed, which torch.save never does"):
        read_checkpoint(path)


def test_parts_that_claim_to_be_larger_than_the_file_are_refused(tmp_path):
    path = tmp_path / "a.ckpt"
    torch.save({"state_dict": {"a": torch.zeros(1000)}}, path)
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[directory + 20 : directory + 28] = (2**31).to_bytes(4, "little") * 2
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="its parts claim more bytes than it has"):
        read_checkpoint(path)


def test_containers_that_hold_each_other_take_no_time(tmp_path):
    path, shared, loop = tmp_path / "a.ckpt", [1], []
    for _ in range(60):
        shared = [shared] * 10
    loop.append(loop)
    torch.save({"state_dict": {}, "shared": shared, "loop": loop}, path)
    read_checkpoint(path)


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "device", "huge"])
def test_a_checkpoint_is_a_regular_file_of_a_bounded_size(kind, tmp_path):
    path = tmp_path / "a.ckpt"
    if kind == "link":
        torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
        path.symlink_to(tmp_path / "other.ckpt")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path = Path(os.devnull)
    else:
        with path.open("wb") as file:
            file.truncate(2**40)
    with pytest.raises(CheckpointError, match="expected a regular file|is no regular file|bytes, expected at most"):
        read_checkpoint(path)
