"""Circuits on a GPU: `python tests/benchmarks/gpu_circuits.py --out build/gpu`.

The paper's circuit, 10 qubits and 220 angles. For each engine and batch: expectations, the mean of 100 shots, and the
gradient of a weighted sum of the expectations, its forward pass included; called as they are, and replayed as a CUDA
graph. Before an engine is timed, 8 rows must agree with double precision, and one with the engine `reference`.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from gpu_store import Store, peak_memory
from torch import Tensor
from torch.utils.benchmark import Timer

from qtrl.quantum import Circuit, efficient_su2, make_engine
from qtrl.quantum.engine import Executable

ENGINES = ("statevector", "triton", "torchquantum")
BATCHES = (1, 256, 1024, 8192, 65536)
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
        store.record["left_out"] = {**store.record.get("left_out", {}), engine: str(error)}
        print(f"left out: {engine}: {error}", flush=True)
        return
    store.add(f"{engine} error", lambda: largest_error(executable, device))
    if "value" not in store.record["results"][f"{engine} error"]:
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


def main() -> None:
    """Measure, and write `circuits.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/gpu"))
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--engines", nargs="+", default=ENGINES)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each measurement")
    options = parser.parse_args()
    torch.set_float32_matmul_precision("highest")
    store = Store(options.out / "circuits.json", options.device)
    for engine in options.engines:
        measure(store, engine, options.batches, options.device, options.seconds)


if __name__ == "__main__":
    main()
