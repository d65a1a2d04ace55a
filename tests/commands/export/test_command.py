import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import qtrl

SHORT = ("debug=smoke", "logger=csv", "callbacks.test_max_episode_steps=5", "callbacks.probe_every_env_steps=null")
SMALL = ("circuit.n_qubits=2", "circuit.reps=1", "actor.hidden=8", "critic.hidden=8", "env.max_episode_steps=10")


@pytest.fixture(scope="module")
def run(train, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exporting") / "run"
    assert train("experiment=pendulum_pqc", *SHORT, *SMALL, f"run_dir={folder}") == 0
    return folder


@pytest.fixture
def line(export, refusal):
    return partial(refusal, export)


@pytest.fixture(scope="module")
def folder(run, export, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "agent"
    assert export(f"run={run}", f"to={folder}", "checkpoint=best") == 0
    return folder


def test_a_run_is_exported_without_a_test_with_its_own_results(run, folder):
    summary, card = json.loads((run / "summary.json").read_text()), (folder / "README.md").read_text()
    result = json.loads((folder / "result.json").read_text())
    assert not (run / "eval").exists()
    assert result["run"]["return_mean"] == summary["return_mean"] and result["checkpoint"] == "best"
    for words in (f"{summary['best_return_mean']:.1f} after 100 env steps", "complete, seed 0", "run=agent"):
        assert words in card
    assert np.array_equal(*(qtrl.load(where).act([0.1, 0.2, 0.3]) for where in (run, folder)))


def test_what_was_exported_can_be_exported_again(folder, export, tmp_path):
    assert export(f"run={folder}", f"to={tmp_path / 'agent'}") == 0
    for name in ("README.md", "agent.json", "agent.safetensors", "circuit.qasm", "config.yaml", "result.json"):
        assert (tmp_path / "agent" / name).read_bytes() == (folder / name).read_bytes()


def test_a_run_without_a_summary_and_one_with_a_damaged_one(run, export, line, tmp_path):
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "summary.json").write_text("{")
    assert "summary.json is not JSON" in line(f"run={copy}", f"to={tmp_path / 'one'}")
    (copy / "summary.json").write_text(
        '{"status": "RunFolderError: /home/me/x", "seed": 0, "env_steps": 1, "updates": 0}'
    )
    assert export(f"run={copy}", f"to={tmp_path / 'three'}") == 0
    card = (tmp_path / "three" / "README.md").read_text()
    assert "| run | RunFolderError, seed 0" in card and "/home/me" not in card
    (copy / "summary.json").unlink()
    assert export(f"run={copy}", f"to={tmp_path / 'two'}") == 0
    assert "so it did not end" in (tmp_path / "two" / "README.md").read_text()


def test_a_damaged_result_makes_no_card(folder, line, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    result = json.loads((copy / "result.json").read_text())
    (copy / "result.json").write_text(json.dumps(result | {"run": {"status": 1}}))
    assert "result.json is not what qtrl writes" in line(f"run={copy}", f"to={tmp_path / 'new'}")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "to=None is not allowed: expected a new folder, or a new file that ends in .onnx"),
        (("to=x", "format=tflite"), "format=tflite is unknown: choices are folder, onnx"),
        (("to=x", "format=onnx"), "expected a file that ends in .onnx"),
        (("to=x.onnx", "quantum=sampled"), "quantum=sampled is unknown: choices are surrogate, exact"),
        (("to=x", "quantum=exact"), "quantum=exact goes with format=onnx"),
        (("to=x", "checkpoint=worst"), "choices are last, best"),
        (("to=x.onnx", "observations=0"), "observations=0"),
        (("to=x.onnx", "seed=-1"), "seed=-1"),
        (("to=x", "chekpoint=best"), "did you mean checkpoint"),
        (("to=x", "block.shots=5"), "unknown key 'block.shots'"),
        (("to=full",), "to=full exists and is not empty"),
        (("to=there.onnx",), "there.onnx exists: remove it"),
        (("to=x", "run=null"), "which run?"),
    ],
)
def test_mistakes_are_told_in_one_line(run, line, tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    (tmp_path / "there.onnx").touch()
    assert words in line(f"run={run}", *options)


def test_a_run_of_a_task_of_ones_own_is_refused(run, line, tmp_path):
    copy, own = shutil.copytree(run, tmp_path / "copy"), "toy_task.Line"
    config = (copy / "config.yaml").read_text()
    (copy / "config.yaml").write_text(config.replace("qtrl.tasks.RL", own))
    told = line(f"run={copy}", f"to={tmp_path / 'new'}", f"trust=[{own}]")
    assert "is a run of Line; qtrl.export writes agents of task=rl, models of task=supervised" in told
    assert not (tmp_path / "new").exists()


def test_links_in_a_run_are_not_followed(run, line, tmp_path):
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "summary.json").unlink()
    (copy / "summary.json").symlink_to(tmp_path)
    assert "is a link" in line(f"run={copy}", f"to={tmp_path / 'new'}")


@pytest.mark.slow  # `test_onnx_file.py` is its quick twin
@pytest.mark.parametrize("quantum", ["surrogate", "exact"])
def test_a_policy_in_onnx_acts_as_the_agent_does(run, export, capsys, tmp_path, quantum):
    path = tmp_path / "new" / "policy.onnx"
    assert export(f"run={run}", f"to={path}", f"quantum={quantum}") == 0
    report = json.loads(path.with_suffix(".json").read_text())
    assert report["quantum"] == quantum and report["env"]["id"] == "Pendulum-v1"
    assert report["parity"]["source"] == "the run's replay" and report["parity"]["observations"] == 100
    assert report["parity"]["onnxruntime_and_torch"]["largest"] < 1e-4
    assert 0 < report["parity"]["exact_and_surrogate"]["largest"] < 4
    assert "actions differ by at most" in capsys.readouterr().out
    rows = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    session = onnxruntime.InferenceSession(Path(path).read_bytes(), providers=["CPUExecutionProvider"])
    (actions,) = session.run(["action"], {"observation": rows})
    if quantum == "exact":
        assert np.abs(actions - qtrl.load(run, shots=1_000_000).act(rows)).max() < 0.02
