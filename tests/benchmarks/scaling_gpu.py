"""What a GPU would change, computed from the sizes, data sheets and assumptions: nothing here is measured on one."""

from dataclasses import dataclass

from flops import Sizes, update_bytes, update_flops
from records import filled, number, table

EAGER, GRAPH = 5e-6, 1.5e-6
"""Seconds from one kernel to the next: launched one by one from Python, or replayed in a CUDA graph. Assumed."""
REACHED = 0.5
"""Share of the data sheet's arithmetic and bandwidth that large kernels reach. Assumed."""


@dataclass(frozen=True)
class GPU:
    """Figures of a data sheet.

    Attributes:
        name: Of the product.
        float32: FLOP/s outside the tensor cores.
        tf32: FLOP/s of the tensor cores on float32 rounded to TF32, without sparsity.
        bandwidth: Bytes per second of its memory.
    """

    name: str
    float32: float
    tf32: float
    bandwidth: float


GPUS = (GPU("A100 80GB SXM", 19.5e12, 156e12, 2.04e12), GPU("H100 SXM", 67e12, 495e12, 3.35e12))


@dataclass(frozen=True)
class Bounds:
    """Seconds that one update takes at least, by what could hold it up.

    Attributes:
        arithmetic: Products in float32.
        tensor_cores: The same in TF32.
        memory: Optimizer, target networks and minibatch.
        eager: Its operations, launched one by one.
        graph: The same, replayed.
    """

    arithmetic: float
    tensor_cores: float
    memory: float
    eager: float
    graph: float


def bounds(gpu: GPU, sizes: Sizes, batch: int, operations: float) -> Bounds:
    """Return the bounds of an update with so many operations."""
    flops = sum(update_flops(sizes, batch).values())
    row = 2 * sizes.observation + sizes.action + sizes.n_in + sizes.n_out + 2
    seconds = (
        flops / gpu.float32,
        flops / gpu.tf32,
        (update_bytes(sizes) + 4 * row * batch) / gpu.bandwidth,
    )
    return Bounds(*(one / REACHED for one in seconds), operations * EAGER, operations * GRAPH)


def filling_batch(gpu: GPU, sizes: Sizes, launches: float) -> float:
    """Return the rows of a minibatch whose products in float32 take as long as its launches."""
    return launches * REACHED * gpu.float32 / sum(update_flops(sizes, 1).values())


def filling_width(gpu: GPU, sizes: Sizes, batch: int, launches: float) -> float:
    """Return the qtDNN's width at which the products of all its passes take as long as the launches.

    A unit of width costs a row 2 fits, 1 target and 2 / policy_delay actor passes through n_in weights, and one more
    fit pass through n_out ones.
    """
    per_row = (3 + 2 / sizes.policy_delay) * (sizes.n_in + sizes.n_out) + sizes.n_out
    return launches * REACHED * gpu.float32 / (2 * batch * per_row)


def gpu_text(operations: dict[str, float], collecting: dict[int, float]) -> str:
    """Write the section.

    Args:
        operations: Of one update, by block.
        collecting: Env steps per second of `pqc` with learning off, measured on the CPU, by environments.
    """
    sheets = "; ".join(
        f"{gpu.name}: {1e-12 * gpu.float32:g} TFLOP/s in float32, {1e-12 * gpu.tf32:g} in TF32, "
        f"{1e-12 * gpu.bandwidth:.2f} TB/s"
        for gpu in GPUS
    )
    assumptions = f"""
    Nothing of this section was measured; [On a GPU](gpu.md) has what was.
    Figures of the data sheets ({sheets}) are taken at {REACHED:.0%}, which large products
    reach. A kernel that is launched from Python is taken to cost {1e6 * EAGER:g} µs, one that is replayed in a CUDA
    graph {1e6 * GRAPH:g} µs; one update has as many kernels as the table above has operations. Batch 256, in µs:
    """
    slowest, h100 = Sizes(), GPUS[-1]
    eager, graph = (operations["pqc"] * seconds for seconds in (EAGER, GRAPH))
    widths = [filling_width(h100, slowest, 256, launches) for launches in (eager, graph)]
    launches = f"""
    Launched one by one, the kernels keep the GPU waiting for Python: its arithmetic would take as long only at the
    batches of the column *batch, eager*, or, on the {h100.name} at batch 256, with a qtDNN about {widths[0]:,.0f} wide.
    A CUDA graph lowers these to *batch, graph* and {widths[1]:,.0f}, and is worth more than TF32; it needs fixed shapes
    and an update in which the host reads no tensor. Weights and moments fit the 40 or 50 MB of L2, so less than
    *memory* is to be expected.
    """
    rates = ", ".join(
        f"{envs}: {number(rate)} → {number(1 / (1 / rate + eager))} or {number(1 / (1 / rate + graph))}"
        for envs, rate in collecting.items()
    )
    together = f"""
    What is left then is collecting. Env steps per second while learning, one update each, from the rates measured on
    this CPU and launches alone, eager or in a graph, nothing overlapped (environments: collecting → while learning):
    {rates}. A GPU pays further with large batches, wide qtDNNs and more qubits, whose arithmetic it has room for.
    """
    return "\n\n".join([filled(assumptions), gpu_table(operations), filled(launches), filled(together)])


def gpu_table(operations: dict[str, float], batch: int = 256) -> str:
    """Write the bounds of both blocks on every GPU, in microseconds."""
    lines = []
    for gpu in GPUS:
        for block, sizes in (("pqc", Sizes()), ("fc", Sizes(surrogate=None))):
            found = bounds(gpu, sizes, batch, operations[block])
            seconds = (found.arithmetic, found.tensor_cores, found.memory, found.eager, found.graph)
            filling = [filling_batch(gpu, sizes, launches) for launches in (found.eager, found.graph)]
            cells = [*(number(1e6 * one) for one in seconds), *(f"{rows:,.0f}" for rows in filling)]
            lines.append([f"{gpu.name}, `{block}`", *cells])
    head = ["", "float32", "TF32", "memory", "launches, eager", "launches, graph", "batch, eager", "batch, graph"]
    return table(head, lines)
