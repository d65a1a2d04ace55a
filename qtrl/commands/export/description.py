"""What an exported agent is, in a form that programs read: spaces, normalization, circuits, versions."""

from typing import Any

from torch import nn

from qtrl.commands.agent import Agent
from qtrl.envs import make_env
from qtrl.envs.spaces import describe_space, own_spaces
from qtrl.nn import RunningNorm, quantum_layers
from qtrl.quantum import to_qasm3
from qtrl.run.exported import FORMAT
from qtrl.run.provenance import provenance


def describe(agent: Agent) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the description of an agent as plain data, and its circuits in OpenQASM 3 by the names of their files."""
    layers, circuits = _layers(agent.actor)
    spaces = dict(zip(("observation_space", "action_space"), spaces_of(agent), strict=True))
    described = {
        "format": FORMAT,
        "label": agent.cfg.label,
        "env": {"id": agent.task.spec.env_id, **{name: describe_space(space) for name, space in spaces.items()}},
        **{name: agent.checkpoint[name] for name in ("env_steps", "updates")},
        "observation_size": agent.task.spec.observation_size,
        "action_size": agent.task.spec.action_size,
        "normalization": _normalization(agent.actor),
        "quantum_layers": layers,
        **provenance(),
    }
    return described, circuits


def spaces_of(agent: Agent) -> Any:
    """Return the environment's own spaces of observations and actions."""
    with make_env(agent.task.env["id"], **agent.task.env_options) as env:
        return own_spaces(env)


def _normalization(actor: nn.Module) -> list[dict[str, Any]]:
    """Say which tensors of the weights observations are normalized by, and how."""
    return [
        {
            "mean": f"{name}.mean",
            "variance": f"{name}.variance",
            "epsilon": norm.epsilon,
            "clip": norm.clip,
            "observations": int(norm.count.item()),
        }
        for name, norm in actor.named_modules()
        if isinstance(norm, RunningNorm)
    ]


def _layers(actor: nn.Module) -> tuple[dict[str, Any], dict[str, str]]:
    """Describe the quantum layers by name; equal circuits share a file."""
    layers: dict[str, Any] = {}
    files: dict[str, str] = {}
    for name, layer in quantum_layers(actor).items():
        block = layer.block
        layers[name] = {"block": type(block).__name__, "inputs": block.n_in, "outputs": block.n_out}
        layers[name] |= {
            key: getattr(block, key) for key in ("readout", "shots", "readout_error") if hasattr(block, key)
        }
        if block.executable is not None:
            program = to_qasm3(block.executable.circuit)
            own = f"circuit_{len(files) + 1}.qasm" if files else "circuit.qasm"
            layers[name]["circuit"] = files.setdefault(program, own)
    return layers, {file: program for program, file in files.items()}
