"""The scaling benchmark as a page."""

import statistics
from dataclasses import dataclass
from typing import Any

import numpy as np
from flops import Sizes, classical_flops, update_bytes, update_flops
from records import filled, heading, number, table
from scaling_gpu import gpu_text
from scaling_points import Point

PARTS = ("fit", "target", "critic", "actor")
BLOCKS = {"pqc": Sizes(), "fc": Sizes(surrogate=None)}
"""The paper's sizes, by block."""
Update = tuple[Point, float, float]
"""A point, its GFLOP, and the median of its milliseconds."""


@dataclass(frozen=True)
class Machine:
    """The machine's own speed, medians over the rounds.

    Attributes:
        gflops: GFLOP/s of the product 256 x 220 x 2048, as torch comes.
        bandwidth: GB/s of memory.
    """

    gflops: float
    bandwidth: float


def machine(record: dict[str, Any]) -> Machine:
    """Take the medians."""
    return Machine(statistics.median(record["gflops"]), statistics.median(record["bandwidth"]))


def updates(record: dict[str, Any], axis: str, block: str = "pqc") -> list[Update]:
    """Return the updates along an axis, in its order."""
    found = []
    for entry in record["updates"]:
        point = Point(entry["axis"], entry["block"], entry["value"])
        if (point.axis, point.block) == (axis, block):
            gflop = 1e-9 * sum(update_flops(point.sizes, point.batch).values())
            found.append((point, gflop, statistics.median(entry["milliseconds"])))
    return found


def collection(record: dict[str, Any], axis: str, block: str = "pqc") -> dict[int, float]:
    """Return the medians of env steps per second along an axis."""
    return {
        entry["value"]: statistics.median(entry["env_steps_per_second"])
        for entry in record["collection"]
        if (entry["axis"], entry["block"]) == (axis, block)
    }


def circuit(record: dict[str, Any], rows: int) -> dict[int, float]:
    """Return the medians of microseconds per row by qubits."""
    found = (entry for entry in record["circuit"] if entry["rows"] == rows)
    return {entry["qubits"]: statistics.median(entry["microseconds_per_row"]) for entry in found}


def line(points: list[Update]) -> tuple[float, float]:
    """Return the fixed ms of an update, and the GFLOP/s of what comes on top: the line through ms over GFLOP.

    Relative deviations are made small, so that the smallest batch weighs as much as the largest.
    """
    gflop, milliseconds = np.array([[gflop, ms] for _, gflop, ms in points]).T
    slope, fixed = np.polyfit(gflop, milliseconds, 1, w=1 / milliseconds)
    return float(fixed), 1e3 / float(slope)


def page(record: dict[str, Any]) -> str:
    """Write the whole page; parts that were not measured are left out."""
    axes = {entry["axis"] for entry in (*record["updates"], *record["collection"])}
    parts = ["# Scaling", filled(INTRODUCTION), heading(record), "![Cost over what is varied](scaling.png)"]
    parts += ["## The arithmetic of an update (computed)", filled(ARITHMETIC), _parts()]
    if "batch" in axes:
        parts += ["## Batch", _batch(record), "## What rules", _rules(record)]
    if "width" in axes:
        parts += ["## Width of the qtDNN", filled(WIDTH), _width(record)]
    if "qubits" in axes:
        parts += ["## Qubits", filled(QUBITS), _qubits(record)]
    if "envs" in axes:
        parts += ["## Environments", filled(ENVS), _envs(record)]
        parts += ["## On a GPU (computed)", gpu_text(record["operations"], collection(record, "envs"))]
    return "\n\n".join(parts) + "\n"


INTRODUCTION = """
What one update and one env step cost on Humanoid-v4 when a single number of the paper's run is changed. Times and rates
are *measured*, medians over rounds in which all points take turns; operations and bytes are *computed* from the sizes
of the layers, by `tests/benchmarks/flops.py`, which tests hold to what torch counts in real updates. This page is
written by
"""
ARITHMETIC = """
A linear layer from i to o makes 2·B·i·o operations forward for B rows, as many for the gradient of its weights, and as
many for that of its input; each only where it is needed. Angles and observations need no gradient; the qtDNN's and the
critic's weights need none in the actor's update, which is made at every second one and counts half. GFLOP of an update
with batch 256, 10 qubits and a qtDNN of 220-2048-10; *classical* is TD3 with two hidden layers of 256, as
Stable-Baselines3 and CleanRL write it:
"""
WIDTH = """
`humanoid_pqc`, batch 256. Adam reads and writes seven numbers for each of the qtDNN's weights, whatever the batch; *MB*
is that with everything else that optimizers and target networks move (computed).
"""
QUBITS = """
`efficient_su2(n, 10)` has 22n angles and 10(n - 1) CNOTs on 2^n amplitudes; the qtDNN has the width 2^(n + 1) (the
default stops at 2,048). *Circuit* is the mean of 100 shots with all torch threads, per row of angles; *per gate* is the
time at 256 rows over gates times amplitudes. *Collecting* is with one environment.
"""
ENVS = """
Env steps per second while collecting, learning off: the environments' steps, the actor with its block, the replay.
"""


def _parts() -> str:
    counts = {f"`{block}`": update_flops(sizes, 256) for block, sizes in BLOCKS.items()}
    counts["classical"] = classical_flops(256)
    rows = [[part, *(f"{1e-9 * count[part]:.2f}" for count in counts.values())] for part in PARTS]
    total = ["together", *(f"{1e-9 * sum(count.values()):.2f}" for count in counts.values())]
    return table(["GFLOP", *counts], [*rows, total])


def _speed(record: dict[str, Any], update: Update) -> list[str]:
    """Write GFLOP, ms, GFLOP/s, and their share of the machine's."""
    _, gflop, milliseconds = update
    speed = 1e3 * gflop / milliseconds
    return [f"{gflop:.2f}", number(milliseconds), number(speed), f"{speed / machine(record).gflops:.0%}"]


def _batch(record: dict[str, Any]) -> str:
    columns = [updates(record, "batch", block) for block in BLOCKS]
    rows = (
        [str(found[0][0].value), *(cell for update in found for cell in _speed(record, update))]
        for found in zip(*columns, strict=True)
    )
    head = ["batch", *(f"`{block}` {what}" for block in BLOCKS for what in ("GFLOP", "ms", "GFLOP/s", "share"))]
    speed = machine(record)
    text = f"""
    *Share* is in units of the {number(speed.gflops)} GFLOP/s that the machine reached, as torch comes, in the product
    of 256 x 220 with 220 x 2048 in the same rounds; memory moved {number(speed.bandwidth)} GB/s.
    """
    return filled(text) + "\n\n" + table(head, rows)


def _rules(record: dict[str, Any]) -> str:
    speed, rows = machine(record), []
    for block, sizes in BLOCKS.items():
        found = updates(record, "batch", block)
        _, gflop, milliseconds = next(update for update in found if update[0].value == 256)
        fixed, marginal = line(found)
        memory = 1e-6 * update_bytes(sizes) / speed.bandwidth
        cells = (1e3 * gflop / speed.gflops, memory, fixed, 1e3 * gflop / marginal, milliseconds)
        rows.append([f"`{block}`", number(record["operations"][block]), *map(number, cells), number(marginal)])
    text = """
    At batch 256, in ms. *Arithmetic* is GFLOP over the machine's speed; *memory* is what optimizers and target networks
    move over its bandwidth (both computed). *Fixed* and *growing* part a measured update by the straight line through
    ms over GFLOP along the batches: what no smaller batch would save (calls, optimizers, Lightning), and what grows at
    so many GFLOP/s. *Operations* are the tensor operations of one update, as torch dispatches them.
    """
    head = ["", "operations", "arithmetic", "memory", "fixed", "growing", "measured", "GFLOP/s of what grows"]
    return filled(text) + "\n\n" + table(head, rows)


def _width(record: dict[str, Any]) -> str:
    rows = [
        [str(update[0].value), *_speed(record, update), number(1e-6 * update_bytes(update[0].sizes))]
        for update in updates(record, "width")
    ]
    return table(["width", "GFLOP", "ms", "GFLOP/s", "share", "MB"], rows)


def _qubits(record: dict[str, Any]) -> str:
    rates, rows = collection(record, "qubits"), []
    by_rows = {count: circuit(record, count) for count in sorted({entry["rows"] for entry in record["circuit"]})}
    for point, gflop, milliseconds in updates(record, "qubits"):
        qubits, sizes = point.value, point.sizes
        gate = 1e3 * by_rows[256][qubits] / ((sizes.n_in + 10 * (qubits - 1)) * 2**qubits)
        cells = [f"{sizes.n_in}", f"{sizes.surrogate:,}", f"{gflop:.2f}", number(milliseconds)]
        micros = [number(found[qubits]) for found in by_rows.values()]
        rows.append([str(qubits), *cells, *micros, f"{gate:.3f}", number(rates[qubits])])
    head = ["qubits", "angles", "width", "GFLOP", "update, ms"]
    head += [f"circuit, µs, {count} row{'s' * (count > 1)}" for count in by_rows]
    return table([*head, "per gate, ns", "collecting, env steps/s"], rows)


def _envs(record: dict[str, Any]) -> str:
    rates = {block: collection(record, "envs", block) for block in BLOCKS}
    rows = ([str(envs), *(number(rates[block][envs]) for block in BLOCKS)] for envs in rates["pqc"])
    return table(["environments", *(f"`{block}`" for block in BLOCKS)], rows)
