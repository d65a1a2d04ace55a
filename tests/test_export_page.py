"""docs/export.md: its commands and its code run, as the page says."""

import re
import shlex

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from pages import page_blocks, page_text, run_blocks
from untrained_model import write_run

SHORT = ("debug=smoke", "logger=csv", "callbacks.test_max_episode_steps=5", "callbacks.probe_every_env_steps=null")
SMALL = ("circuit.n_qubits=2", "circuit.reps=1", "actor.hidden=8", "critic.hidden=8", "env.max_episode_steps=10")
OF_AGENTS, _, OF_MODELS = page_text("export.md").partition("## Models of tables")


def commands(text, *, onnx):
    """The commands in a part of the page, those that write ONNX or the others."""
    lines = "".join(re.findall(r"^```bash\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)).splitlines()
    return [line for line in lines if (".onnx" in line) == onnx]


@pytest.fixture(scope="module")
def runs(train, compose, tmp_path_factory):
    """The run of an agent, and of a model."""
    top = tmp_path_factory.mktemp("runs")
    assert train("experiment=pendulum_pqc", *SHORT, *SMALL, f"run_dir={top / 'agent'}") == 0
    (top / "model").mkdir()
    write_run(top / "model", compose, "hdqnn_moons", "dataset.rows=200")
    return {OF_AGENTS: top / "agent", OF_MODELS: top / "model"}


@pytest.fixture
def call(export, evaluate, runs, tmp_path, monkeypatch):
    """Run a command of a part of the page in a folder of its own."""

    def called(part, command):
        monkeypatch.chdir(tmp_path)
        _, _, module, *arguments = shlex.split(command.replace("runs/NAME", str(runs[part])))
        assert {"qtrl.export": export, "qtrl.eval": evaluate}[module](*arguments) == 0, command

    return called


def block_with(words):
    (block,) = (block for block in page_blocks("export.md") if words in block)
    return block


def test_every_command_is_run_here():
    assert [len(commands(part, onnx=onnx)) for part in (OF_AGENTS, OF_MODELS) for onnx in (False, True)] == [2, 2, 1, 1]
    assert len(page_blocks("export.md")) == 4


@pytest.mark.parametrize("command", commands(OF_AGENTS, onnx=False))
def test_agents_are_written_as_folders(command, call, tmp_path):
    call(OF_AGENTS, command)
    assert (tmp_path / "my_agent" / "agent.json").is_file()


def test_a_model_is_written_as_a_folder_and_loaded(call, capsys):
    (command,) = commands(OF_MODELS, onnx=False)
    call(OF_MODELS, command)
    predicted = run_blocks("export.md", [block_with("qtrl.load")])["model"].predict(np.zeros((3, 2)))
    assert {*predicted.tolist()} <= {"0", "1"}
    assert re.search(r"\['[01]' '[01]'\]", capsys.readouterr().out)


def test_the_circuit_is_printed(capsys):
    run_blocks("export.md", [block_with("to_qasm3")])
    assert "OPENQASM 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "takes", "gives", "shape"),
    [("pendulum.onnx", "observation", "action", (3, 1)), ("my_model.onnx", "rows", "probabilities", (2, 2))],
)
def test_code_that_runs_onnx(file, takes, gives, shape, tmp_path, monkeypatch):
    """With files of the same inputs and outputs that are written in no time; the next test has those of the page."""
    monkeypatch.chdir(tmp_path)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", n])
            for name, n in zip((takes, gives), shape, strict=True)]  # fmt: skip
    weight = numpy_helper.from_array(np.ones(shape, np.float32), "weight")
    nodes = [helper.make_node("MatMul", [takes, "weight"], [gives])]
    graph = helper.make_graph(nodes, "tiny", ends[:1], ends[1:], [weight])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    (tmp_path / file).write_bytes(made.SerializeToString())
    left = run_blocks("export.md", [block_with(file)])
    assert left[gives].shape == (1, shape[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "command"), [(part, each) for part in (OF_AGENTS, OF_MODELS) for each in commands(part, onnx=True)]
)
def test_commands_that_write_onnx_and_code_that_runs_it(part, command, call):
    call(part, command)
    for block in page_blocks("export.md"):
        if command.split("to=")[1].split()[0] in block:
            left = run_blocks("export.md", [block])
            assert (left["action"] if part == OF_AGENTS else left["probabilities"]).shape[0] == 1
