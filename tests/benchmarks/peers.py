"""qtrl against other libraries on one circuit: `python tests/benchmarks/peers.py`, with the extra `bench` installed.

Forward is: angles in, probabilities of all bit strings, and from them the probability of reading 1 on each qubit out.
The gradient is that of a number made of all these probabilities, in all angles, its own forward pass included. All
libraries get the same angles, must agree before anything is timed, and are timed in turns.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from libraries import Library, all_libraries
from peer_report import draw, page
from peer_timing import cells_of, measure_batch
from records import conditions

from qtrl.process.quiet import quiet_libraries
from qtrl.process.threads import set_threads
from qtrl.quantum import Circuit, efficient_su2, make_engine

CIRCUIT = {"n_qubits": 10, "reps": 10}
BATCHES = (1, 8, 64, 256, 1024)
AGREEMENT_BATCH = 8
TOLERANCES = {"probabilities": 1e-5, "expectations": 1e-5, "gradient": 1e-4}


def random_angles(circuit: Circuit, batch: int) -> np.ndarray:
    """Return angles (B, P), uniform over one turn."""
    return np.random.default_rng(0).uniform(-np.pi, np.pi, (batch, circuit.n_angles)).astype(np.float32)


def exact_answers(circuit: Circuit, angles: np.ndarray, weights: list[float]) -> dict[str, np.ndarray]:
    """Return in double precision what the fields of `Library` must give."""
    executable = make_engine("statevector").prepare(circuit)
    leaf = torch.tensor(angles, dtype=torch.float64, requires_grad=True)
    expectations = executable.expectations(leaf)
    (expectations @ torch.tensor(weights, dtype=torch.float64)).sum().backward()
    answers = {"probabilities": executable.probabilities(leaf), "expectations": expectations, "gradient": leaf.grad}
    return {kind: answer.detach().numpy() for kind, answer in answers.items()}


def check_agreement(libraries: list[Library], circuit: Circuit, weights: list[float]) -> list[dict[str, Any]]:
    """Compare every library with double precision, and exit where one is too far off.

    Returns:
        For each library and kind of answer the largest error, and the seconds of this first call.
    """
    angles, found = random_angles(circuit, AGREEMENT_BATCH), []
    for kind, answer in exact_answers(circuit, angles, weights).items():
        for library in libraries:
            call, own = getattr(library, kind), library.angles(angles)
            if call is None:
                continue
            start = time.perf_counter()
            given = np.asarray(call(own))
            seconds, error = time.perf_counter() - start, np.abs(given - answer).max().item()
            if not error <= TOLERANCES[kind]:
                raise SystemExit(f"peers.py: {kind} of {library.name} are off by {error:.1e}, not {TOLERANCES[kind]}")
            found.append({"library": library.name, "kind": kind, "error": error, "first_call_seconds": seconds})
    return found


def measure(libraries: list[Library], circuit: Circuit, batches: list[int], budget: float) -> dict[str, Any]:
    """Time all libraries on all batches."""
    cells, skipped, expected = [], [], {}
    for batch in sorted(batches):
        print(f"batch {batch}", flush=True)
        of_batch = cells_of(libraries, random_angles(circuit, batch))
        skipped += measure_batch(of_batch, budget, expected)
        cells += [cell.as_record() for cell in of_batch if cell.seconds]
    return {"cells": cells, "skipped": skipped}


def main() -> None:
    """Measure, print, and write `peers.json`, `peers.md` and `peers.png`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--budget", type=float, default=3.0, help="seconds for each library, batch and kind")
    parser.add_argument("--only", nargs="+", default=[""], help="libraries whose names hold one of these words")
    options = parser.parse_args()
    quiet_libraries()
    set_threads(options.threads, 1)
    circuit = efficient_su2(**CIRCUIT)
    weights = np.linspace(-1, 1, circuit.n_qubits).tolist()
    try:
        libraries = [one for one in all_libraries(circuit, weights) if any(word in one.name for word in options.only)]
    except ImportError as error:
        raise SystemExit(f"peers.py cannot import {error.name}: pip install -e '.[bench]'") from error
    record = conditions(sorted({package for library in libraries for package in library.packages}))
    record |= {"circuit": CIRCUIT, "libraries": {library.name: library.how for library in libraries}}
    record["agreement"] = check_agreement(libraries, circuit, weights)
    record |= measure(libraries, circuit, options.batches, options.budget)
    record["load_average_after"] = os.getloadavg()
    (options.out / "peers.json").write_text(json.dumps(record, indent=2) + "\n")
    (options.out / "peers.md").write_text(page(record))
    draw(record, options.out / "peers.png")
    print(page(record))


if __name__ == "__main__":
    main()
