"""Circuits on a GPU: `python tests/benchmarks/gpu_circuits.py --out build/gpu`.

The paper's circuit, 10 qubits and 220 angles. For each engine and batch: expectations, the mean of 100 shots, and the
gradient of a weighted sum of the expectations, its forward pass included; called as they are, and replayed as a CUDA
graph. Before an engine is timed, 8 rows must agree with double precision, and one with the engine `reference`. After
the engines come other libraries, where they are installed and compute on the device.
"""

import argparse
import os
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from gpu_store import Store, peak_memory
from libraries import Library
from libraries.pennylane import pennylane_default
from libraries.tensorcircuit import tensorcircuit
from torch import Tensor
from torch.utils.benchmark import Timer

from qtrl.quantum import Circuit, efficient_su2, make_engine
from qtrl.quantum.engine import Executable

ENGINES = ("statevector", "triton", "torchquantum")
BATCHES = (1, 256, 1024, 8192, 65536)
LARGEST_OF_PEERS = 8192
PEERS = {"pennylane": pennylane_default, "tensorcircuit": tensorcircuit}
"""TorchQuantum is among the engines already."""
SHOTS, CHECKED, TOLERANCE = 100, 8, 1e-4
Call = Callable[[], Any]


def random_angles(circuit: Circuit, batch: int, device: str) -> Tensor:
    """Return angles (B, P), uniform over one turn."""
    generator = torch.Generator().manual_seed(0)
    return (2 * torch.pi * torch.rand(batch, circuit.n_angles, generator=generator) - torch.pi).to(device)


def gradient(executable: Executable, angles: Tensor) -> Tensor:
    """Return the gradient (B, P) of a weighted sum of all expectations."""
    leaf = angles.detach().requires_grad_()
    expectations = executable.expectations(leaf)
    weights = torch.linspace(-1, 1, expectations.shape[-1], dtype=angles.dtype, device=angles.device)
    return torch.autograd.grad(expectations, leaf, weights.expand_as(expectations))[0]


def largest_error(executable: Executable, device: str) -> float:
    """Compare expectations, and gradients where there are any, with double precision."""
    circuit = executable.circuit
    angles = random_angles(circuit, CHECKED, "cpu")
    there, double = angles.to(device), angles.double()
    exact = make_engine("statevector").prepare(circuit)
    expectations = executable.expectations(there).cpu()
    differences = [
        expectations - exact.expectations(double),
        expectations[:1] - make_engine("reference").prepare(circuit).expectations(double[:1]),
    ]
    if executable.capabilities.differentiable:
        differences.append(gradient(executable, there).cpu() - gradient(exact, double))
    error = max(difference.abs().max().item() for difference in differences)
    if not error <= TOLERANCE:
        raise ArithmeticError(f"off by {error:.1e}")
    return error


def graphed(call: Call) -> Call:
    """Capture a call that was made before, and return the replay."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def microseconds(call: Call, batch: int, seconds: float) -> dict[str, float]:
    """Time a call by medians, in microseconds of one sample."""
    call()
    found = Timer("call()", globals={"call": call}).blocked_autorange(min_run_time=seconds)
    return {"microseconds_per_sample": 1e6 * found.median / batch, "iqr": 1e6 * found.iqr / batch}


def calls(executable: Executable, angles: Tensor) -> dict[str, Call]:
    """Return what is timed on one batch."""
    generator = torch.Generator(angles.device).manual_seed(0)
    found: dict[str, Call] = {
        "expectations": lambda: executable.expectations(angles),
        "shots": lambda: executable.marginals(angles, SHOTS, generator),
    }
    if executable.capabilities.differentiable:
        found["gradient"] = lambda: gradient(executable, angles)
    return found


def measure(store: Store, engine: str, batches: list[int], device: str, seconds: float) -> None:
    """Time one engine on all batches, if it agrees with double precision."""
    circuit = efficient_su2(10, 10)
    try:
        executable = make_engine(engine).prepare(circuit)
    except Exception as error:
        store.leave_out(engine, error)
        return
    if not store.add(f"{engine} error", lambda: largest_error(executable, device)):
        return
    for batch in batches:
        angles = random_angles(circuit, batch, device)
        for kind, call in calls(executable, angles).items():
            name = f"{engine} {kind} {batch}"
            store.add(name, lambda call=call, batch=batch: microseconds(call, batch, seconds))
            store.add(f"{name} memory", lambda call=call: peak_memory(call, device))
            if device == "cuda" and batch <= 8192 and kind != "shots" and engine != "torchquantum":
                store.add(f"{name} graph", lambda call=call, batch=batch: microseconds(graphed(call), batch, seconds))
        if device == "cuda":
            torch.cuda.empty_cache()


def peer(name: str, circuit: Circuit, device: str) -> tuple[Library, Callable[[Tensor], Any]]:
    """Return another library, and what brings angles to its arrays on the device."""
    library = PEERS[name](circuit, torch.linspace(-1, 1, circuit.n_qubits).tolist())

    def own(angles: Tensor) -> Any:
        given = library.angles(angles.numpy())
        return given.to(device) if isinstance(given, Tensor) else given

    found = own(random_angles(circuit, 1, "cpu"))
    if device == "cuda" and "cuda" not in str(found.device).lower():
        raise RuntimeError(f"it computes on {found.device}")
    return library, own


def largest_error_of_peer(library: Library, own: Callable[[Tensor], Any], circuit: Circuit) -> float:
    """Compare a library's expectations and gradients with double precision."""
    angles = random_angles(circuit, CHECKED, "cpu")
    exact, double = make_engine("statevector").prepare(circuit), angles.double()
    expected = [exact.expectations(double), gradient(exact, double)]
    found = [torch.as_tensor(call(own(angles))).cpu() for call in (library.expectations, library.gradient) if call]
    error = max((one - other).abs().max().item() for one, other in zip(found, expected, strict=True))
    if not error <= TOLERANCE:
        raise ArithmeticError(f"off by {error:.1e}")
    return error


def measure_peer(store: Store, name: str, batches: list[int], device: str, seconds: float) -> None:
    """Time another library on batches that take it no longer than a moment, if it agrees with double precision."""
    circuit = efficient_su2(10, 10)
    try:
        library, own = peer(name, circuit, device)
    except Exception as error:
        store.leave_out(name, error)
        return
    if not store.add(f"{name} error", lambda: largest_error_of_peer(library, own, circuit)):
        return
    store.record["versions"] |= {package: version(package) for package in library.packages}
    for batch in batches:
        angles = own(random_angles(circuit, batch, "cpu"))
        for kind, call in (("expectations", library.expectations), ("gradient", library.gradient)):
            assert call is not None
            store.add(f"{name} {kind} {batch}", partial(microseconds, partial(call, angles), batch, seconds))


def main() -> None:
    """Measure, and write `circuits.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/gpu"))
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--engines", nargs="+", default=ENGINES)
    parser.add_argument("--peers", nargs="*", default=list(PEERS))
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each measurement")
    options = parser.parse_args()
    torch.set_float32_matmul_precision("highest")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # or JAX takes most of the memory
    store = Store(options.out / "circuits.json", options.device)
    for engine in options.engines:
        measure(store, engine, options.batches, options.device, options.seconds)
    for name in options.peers:
        batches = [batch for batch in options.batches if batch <= LARGEST_OF_PEERS]
        measure_peer(store, name, batches, options.device, options.seconds)


if __name__ == "__main__":
    main()
