import gymnasium as gym
import numpy as np
import onnx
import pytest
import torch
from torch import nn

from qtrl.commands.export import onnx_file
from qtrl.commands.export.agents.policy import Policy
from qtrl.commands.export.exportable import Signature
from qtrl.commands.export.onnx_file import run_onnx, run_torch, to_onnx
from qtrl.commands.export.parity import differences, parity
from qtrl.errors import ConfigError
from qtrl.nn import PQC, HybridActor
from qtrl.quantum import efficient_su2, make_engine

SPACE = gym.spaces.Box(-2.0, 2.0, (1,), np.float32)
OF_A_POLICY = Signature(3, "observation", "action", cases="observations", answers="actions")


def test_a_tiny_policy_with_its_circuit_gives_in_onnxruntime_what_it_gives_in_torch():
    circuit = efficient_su2(1, 0)
    block = PQC(circuit.n_angles, 1, circuit=circuit, engine=make_engine("reference"))
    policy = Policy(HybridActor(3, 1, block, hidden=4, links=0, normalize="running"), "exact", SPACE)
    model, rows = to_onnx(policy, OF_A_POLICY), torch.randn(7, 3)
    assert parity(model, policy, rows)["largest"] < 1e-5
    assert run_onnx(model, rows[:1]).shape == run_torch(policy, rows[:1]).shape == (1, 1)
    assert b".py" not in model  # no stack traces, which name paths of the machine
    graph = onnx.load_from_string(model)
    onnx.checker.check_model(graph)
    assert [[each.name for each in ends] for ends in (graph.graph.input, graph.graph.output)] == [
        ["observation"],
        ["action"],
    ]


def test_the_largest_and_the_mean_difference():
    one, other = torch.tensor([[0.0], [3.0]]), torch.tensor([[4.0], [0.0]])
    assert differences(one, other) == {"largest": 4.0, "root_mean_square": pytest.approx(12.5**0.5)}


def test_what_onnx_cannot_write_is_told_in_one_line(monkeypatch):
    def fails(*args, **kwargs):
        raise RuntimeError("See the manual") from TypeError("no decomposition\nfor this")

    monkeypatch.setattr(torch.onnx, "export", fails)
    with pytest.raises(ConfigError, match="format=onnx: Linear cannot be written: no decomposition$"):
        to_onnx(Policy(nn.Linear(3, 1), "exact", SPACE), OF_A_POLICY)


def test_without_the_packages_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match="format=onnx cannot import onnxruntime: pip install 'qtrl\\[onnx\\]'"):
        onnx_file.check_packages()
