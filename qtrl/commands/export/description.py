"""What was exported, in a form that programs read: what it takes and gives, circuits, versions."""

from typing import Any

from torch import nn

from qtrl.commands.export.exportable import Exportable
from qtrl.nn import quantum_layers
from qtrl.quantum import to_qasm3
from qtrl.run.provenance import provenance


def describe(subject: Exportable) -> tuple[dict[str, Any], dict[str, str]]:
    """Return its description as plain data, and its circuits in OpenQASM 3 by the names of their files."""
    layers, circuits = _layers(subject.network)
    described = {
        "format": subject.form.version,
        "label": subject.source.cfg.label,
        **{name: subject.source.checkpoint[name] for name in ("env_steps", "updates")},
        **subject.description(),
        "quantum_layers": layers,
        **provenance(),
    }
    return described, circuits


def _layers(network: nn.Module) -> tuple[dict[str, Any], dict[str, str]]:
    """Describe the quantum layers by name; equal circuits share a file."""
    layers: dict[str, Any] = {}
    files: dict[str, str] = {}
    for name, layer in quantum_layers(network).items():
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
