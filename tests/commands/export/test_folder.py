import json
import re
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import qtrl
from qtrl.errors import CheckpointError
from qtrl.run import exported
from qtrl.run.exported import is_exported, located, pretrained_dir

SHORT = ("debug=smoke", "logger=csv", "callbacks.test_max_episode_steps=10", "callbacks.probe_every_env_steps=null")
TEST = ("episodes=2", "seed=3", "shots=7")
FILES = {"README.md", "agent.json", "agent.safetensors", "circuit.qasm", "config.yaml", "result.json"}


@pytest.fixture(scope="module")
def made(train, evaluate, tmp_path_factory):
    """A short run, and its agent as it was exported."""
    top = tmp_path_factory.mktemp("exported")
    small = ("circuit.n_qubits=2", "circuit.reps=1", "env.max_episode_steps=10", "normalize=running")
    assert train("experiment=pendulum_pqc", *SHORT, *small, f"run_dir={top / 'run'}") == 0
    assert evaluate(f"run={top / 'run'}", *TEST, f"export={top / 'small'}") == 0
    return top / "run", top / "small"


@pytest.fixture
def line(evaluate, refusal):
    return partial(refusal, evaluate)


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made[1], tmp_path / "copy")


def played(folder):
    (path,) = folder.glob("*.json")
    return json.loads(path.read_text())


def test_an_exported_agent_plays_as_in_its_run_and_writes_into_the_current_folder(
    made, evaluate, capsys, tmp_path, monkeypatch
):
    run, folder = made
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.chdir(tmp_path)
    assert evaluate(f"run={folder}", "episodes=2", "seed=3") == 0
    result = played(tmp_path)
    assert f"return {result['return_mean']:.1f}" in capsys.readouterr().out
    (own,) = (run / "eval").iterdir()
    assert result == json.loads(own.read_text()) == json.loads(before["result.json"])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name.startswith("small-") for path in tmp_path.iterdir()] == [True]


@pytest.mark.parametrize(("told", "said"), [("best", "best"), ("last", "last"), ("worst", "last"), ([], "last")])
def test_a_test_of_an_exported_agent_names_the_checkpoint_that_it_was(
    told, said, copy, evaluate, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    result = json.loads((copy / "result.json").read_text())
    (copy / "result.json").write_text(json.dumps(result | {"checkpoint": told}))
    assert evaluate(f"run={copy}", "episodes=1", "seed=3", "export=again") == 0
    assert played(tmp_path)["checkpoint"] == said
    assert f"`{said}.ckpt` of the run" in (tmp_path / "again" / "README.md").read_text()


def test_the_folder_holds_an_actor_plain_config_result_and_card(made):
    run, folder = made
    assert {path.name for path in folder.iterdir()} == FILES
    assert is_exported(folder) and not is_exported(run)
    weights = load_file(folder / "agent.safetensors")
    own = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert weights.keys() == {name.removeprefix("actor.") for name in own if name.startswith("actor.")}
    assert all(torch.equal(value, own[f"actor.{name}"]) for name, value in weights.items())
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert (config["run_dir"], config["paths"], config["logger"]) == (None, {"runs": "runs"}, {})
    assert str(run.parent) not in "".join((folder / name).read_text() for name in FILES - {"agent.safetensors"})
    description = json.loads((folder / "agent.json").read_text())
    assert description["env"]["id"] == "Pendulum-v1" and description["env"]["action_space"]["high"] == 2.0
    (norm,), layer = description["normalization"], description["quantum_layers"]["layer"]
    assert {norm["mean"], norm["variance"]} < weights.keys() and layer["circuit"] == "circuit.qasm"
    assert (layer["inputs"], layer["outputs"], layer["shots"]) == (8, 2, 7)
    result, card = json.loads((folder / "result.json").read_text()), (folder / "README.md").read_text()
    assert config["block"]["shots"] == 7 and result["env_steps"] == 100
    for words in ("run=small", "Pendulum-v1", f"{result['return_mean']:.1f}", "start seeds 3 to 4", "mean of 7 shots"):
        assert words in card


def test_an_agent_that_comes_with_qtrl_is_found_from_anywhere(made, evaluate, line, tmp_path, monkeypatch):
    package = tmp_path / "qtrl" / "pretrained"
    shutil.copytree(made[1], package / "small")
    (package / "empty").mkdir()
    monkeypatch.setattr(exported, "pretrained_dir", lambda: package)
    (tmp_path / "here" / "pretrained" / "other").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert located("pretrained/small") == package / "small"
    assert located("./pretrained/other") == "./pretrained/other"
    for name in ("other", "empty", "", "../small", "small/.."):
        assert "pretrained agents are small;" in line(f"run=pretrained/{name}")
    assert "pretrained agents are small;" in line("run=pretrained")


def test_agents_of_the_package_have_all_files_and_stay_small():
    folders = sorted(path for path in pretrained_dir().iterdir() if path.is_dir())
    assert folders and all({path.name for path in folder.iterdir()} == FILES for folder in folders)
    files = [path for path in pretrained_dir().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 5_000_000
    for folder in folders:
        assert f"run=pretrained/{folder.name} " in (folder / "README.md").read_text()


def test_the_agent_for_pendulum_swings_it_up(evaluate, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert evaluate("run=pretrained/pendulum_pqc", "episodes=2") == 0
    assert played(tmp_path)["return_mean"] > -300
    assert Path(qtrl.__file__).parent not in Path(capsys.readouterr().out.strip().rpartition(": ")[2]).parents


def test_what_does_not_go_together_is_told_before_anything_is_played(made, line, tmp_path):
    run, folder = made
    assert "one set of weights" in line(f"run={folder}", "checkpoint=best")
    assert "was run without it" in line(f"run={folder}", "video=true", "log=true")
    assert "export does not go with an ablation" in line(f"run={run}", "ablation=frozen_policy", "export=x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    assert "exists and is not empty" in line(f"run={run}", f"export={tmp_path / 'full'}")
    assert "expected a folder" in line(f"run={run}", "export=3")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("agent.safetensors", b"\xff" * 100, "no file of safetensors"),
        ("agent.safetensors", b"", "no file of safetensors"),
        ("result.json", b"{", "not JSON"),
        ("result.json", b"[]", "no JSON object"),
        ("result.json", b"{}", "env_steps"),
        ("config.yaml", b"a: &b c", "anchor"),
        ("agent.json", b"{", "not JSON"),
        ("agent.json", b"{}", "has the format None, expected a whole number"),
        ("agent.json", b'{"format": true}', "has the format True"),
        (
            "agent.json",
            b'{"format": 2, "versions": {"qtrl": "9.1"}}',
            "written by qtrl '9.1'; .*: install a later qtrl",
        ),
        ("agent.json", b'{"format": 2, "versions": 1}', "install a later qtrl"),
    ],
)
def test_damaged_files_are_told_in_one_line(copy, line, name, content, words):
    (copy / name).write_bytes(content)
    assert re.search(words, told := line(f"run={copy}")) and str(copy) in told


@pytest.mark.parametrize("kept", [4, 100, 0.5, -1])
def test_truncated_weights_are_told_in_one_line(copy, line, kept):
    whole = (copy / "agent.safetensors").read_bytes()
    (copy / "agent.safetensors").write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    assert "no file of safetensors, or damaged" in line(f"run={copy}")
    with pytest.raises(CheckpointError, match="no file of safetensors, or damaged"):
        qtrl.load(copy)


def test_an_agent_of_an_earlier_version_has_no_description(copy, evaluate, tmp_path, monkeypatch):
    (copy / "agent.json").unlink()
    (copy / "circuit.qasm").unlink()
    monkeypatch.chdir(tmp_path)
    assert evaluate(f"run={copy}", "episodes=1") == 0


def test_weights_of_another_architecture_are_told(copy, line):
    weights = load_file(copy / "agent.safetensors")
    save_file({name: value.repeat(2, *[1] * (value.dim() - 1)) for name, value in weights.items() if value.dim()},
              copy / "agent.safetensors")  # fmt: skip
    assert "belongs to another architecture" in line(f"run={copy}")


def test_a_missing_result_and_a_link_are_told(copy, line):
    (copy / "result.json").unlink()
    assert "there is no" in line(f"run={copy}")
    (copy / "result.json").symlink_to(copy / "config.yaml")
    assert "link" in line(f"run={copy}")


def test_an_exported_agent_loads_in_python_and_acts_as_the_run_does(made):
    run, folder = made
    observation = np.zeros(3, np.float32)
    actions = [qtrl.load(where, seed=5, shots=7).act(observation) for where in (run, folder)]
    assert np.array_equal(*actions)
    assert qtrl.load("pretrained/pendulum_pqc").act(observation).shape == (1,)
