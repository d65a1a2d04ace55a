"""What a training step costs over batch, qubits, environments and qtDNN width: `python tests/benchmarks/scaling.py`.

Updates of `humanoid_pqc` and `humanoid_fc` on random minibatches through Lightning's Trainer, collection through the
real stream with learning off, and the circuit alone, all in turns. Beside the times stand the operations that
`flops.py` counts from the sizes, and the speed of the machine in the same rounds.
"""

import argparse
import itertools
import json
import os
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

from records import conditions, gflops, write_page
from scaling_picture import draw
from scaling_points import (
    Point,
    bandwidth,
    circuit_microseconds,
    collection_rate,
    operations,
    update_milliseconds,
)
from scaling_report import page

from qtrl.process.quiet import quiet_libraries
from qtrl.process.threads import set_threads

BATCHES, WIDTHS, QUBITS, ENVS = (
    (64, 128, 256, 512, 1024),
    (256, 512, 1024, 2048, 4096),
    (4, 6, 8, 10, 12),
    (1, 2, 4, 8, 16),
)
AXES, BLOCKS = ("batch", "width", "qubits", "envs"), ("pqc", "fc")
CIRCUIT_ROWS = (1, 16, 256)
UPDATES = [
    *(Point("batch", block, value) for value in BATCHES for block in BLOCKS),
    *(Point("width", "pqc", value) for value in WIDTHS),
    *(Point("qubits", "pqc", value) for value in QUBITS),
]
COLLECTIONS = [
    *(Point("envs", block, value) for value in ENVS for block in BLOCKS),
    *(Point("qubits", "pqc", value) for value in QUBITS),
]
UNITS = {"updates": "milliseconds", "collection": "env_steps_per_second"}

Found = defaultdict[tuple[Any, ...], list[float]]
"""What was measured in each round, by kind and point."""


def one_round(axes: list[str], found: Found) -> None:
    """Take every measurement once."""
    found["gflops",].append(gflops())
    found["bandwidth",].append(bandwidth())
    for point in UPDATES:
        if point.axis in axes:
            found["updates", point].append(update_milliseconds(point))
    for point in COLLECTIONS:
        if point.axis in axes:
            found["collection", point].append(collection_rate(point))
    for qubits, rows in itertools.product(QUBITS if "qubits" in axes else (), CIRCUIT_ROWS):
        found["circuit", qubits, rows].append(circuit_microseconds(qubits, rows))


def measure(axes: list[str], rounds: int) -> dict[str, Any]:
    """Take all measurements in turns, and count operations."""
    found: Found = defaultdict(list)
    for turn in range(rounds):
        one_round(axes, found)
        print(f"round {turn + 1} of {rounds}: {found['gflops',][-1]:.0f} GFLOP/s", flush=True)
    record: dict[str, Any] = {"updates": [], "collection": [], "circuit": []}
    for (kind, *what), values in found.items():
        if kind == "circuit":
            record[kind].append({"qubits": what[0], "rows": what[1], "microseconds_per_row": values})
        elif kind in record:
            record[kind].append(asdict(what[0]) | {UNITS[kind]: values})
        else:
            record |= {kind: values}
    return record | {"operations": {block: operations(block) for block in BLOCKS}}


def main() -> None:
    """Measure, print, and write `scaling.json`, `scaling.md` and `scaling.png`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--axes", nargs="+", choices=AXES, default=AXES)
    parser.add_argument("--draw", action="store_true", help="only write page and picture anew from scaling.json")
    options = parser.parse_args()
    file = options.out / "scaling.json"
    if options.draw:
        record = json.loads(file.read_text())
    else:
        quiet_libraries()
        set_threads(options.threads, 1)
        record = conditions(["numba"]) | measure(options.axes, options.rounds)
        record["load_average_after"] = os.getloadavg()
        file.write_text(json.dumps(record, indent=2) + "\n")
    write_page(record, file, page, draw)


if __name__ == "__main__":
    main()
