"""How good is the qtDNN's gradient? `python tests/benchmarks/tangent.py` measures what docs/tangent.md shows.

On a PreDNN that does not learn, in four parts: how many circuits parameter shift and SPSA run for as good a gradient
as the recipe's (`circuits`); the way from the paper's letter to the recipe (`ladder`); what lies around the recipe
(`around`); and the letter with one part of the recipe (`alone`).
Every result is written to `tangent.json` as soon as it is there, and what is there is not measured again, so that a
command that was stopped goes on. Then the tables of the page are written anew, between their markers, and the picture.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from frozen_layer import RECIPE, Setting, measure, observations
from records import conditions
from tangent_circuits import gradients, methods
from tangent_grid import QuickSize, Size, settings
from tangent_picture import draw
from tangent_report import filled_in
from torch import Tensor

from qtrl.files.atomic import write_json
from qtrl.process.quiet import quiet_libraries
from qtrl.process.threads import set_threads

PARTS = ("circuits", "ladder", "around", "alone")


class Measurements:
    """A record that is written after each result.

    Args:
        file: Where the record is, or will be.
        size: How much is measured. A record of another size is refused.
    """

    def __init__(self, file: Path, size: Size) -> None:
        self.file = file
        plain = json.loads(json.dumps(asdict(size)))
        empty = {"size": plain, "sessions": [], "fitted": [], "circuits": []}
        self.record: dict[str, Any] = json.loads(file.read_text()) if file.exists() else empty
        if self.record["size"] != plain:
            raise SystemExit(f"tangent.py: {file} holds measurements of another size; take another folder by --out")

    def begin(self) -> None:
        """Note under which conditions the next results are measured."""
        self.record["sessions"].append(conditions())

    def add(self, kind: str, about: dict[str, Any], result: Callable[[], dict[str, Any]]) -> None:
        """Measure and write what is not there yet: a result of a kind, `fitted` or `circuits`, and what it is about."""
        if any(entry.items() >= about.items() for entry in self.record[kind]):
            return
        found = result()
        self.record[kind].append(about | found)
        self.record["sessions"][-1]["load_average_after"] = os.getloadavg()
        write_json(self.file, self.record)
        print(*about.values(), found["cosine"], flush=True)


def measure_fits(chosen: Iterable[Setting], size: Size, rows: Tensor, to: Measurements) -> None:
    """Fit the qtDNNs of settings."""
    for setting in map(size.shrink, chosen):
        for seed in range(size.seeds):
            options = {"seed": seed, "fits": size.fits, "compared": size.compared}
            about = {"setting": asdict(setting), "seed": seed}
            to.add("fitted", about, lambda setting=setting, options=options: measure(setting, rows, **options))


def measure_circuits(size: Size, rows: Tensor, to: Measurements) -> None:
    """Measure the gradients that circuits give at the recipe's angles, and the qtDNN's there."""
    measure_fits([RECIPE], size, rows, to)
    setting = size.shrink(RECIPE)
    for method in methods(size):
        for seed in range(size.seeds):
            about = {**method, "seed": seed}
            options = {"seed": seed, "size": size}
            to.add(
                "circuits", about, lambda method=method, options=options: gradients(method, setting, rows, **options)
            )


def main(arguments: list[str] | None = None) -> None:
    """Measure what is missing, write `tangent.json` and `tangent.png`, and the tables of `tangent.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder that has tangent.md")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS, help="none: write page and picture anew")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds' worth of tiny circuits, to try the command"
    )
    options = parser.parse_args(arguments)
    quiet_libraries()
    set_threads(options.threads, 1)
    size = QuickSize() if options.quick else Size()
    measurements = Measurements(options.out / "tangent.json", size)
    if options.parts:
        measurements.begin()
        rows = observations(size.pairs)
    for part in options.parts:
        if part == "circuits":
            measure_circuits(size, rows, measurements)
        else:
            measure_fits(settings(part), size, rows, measurements)
    page = options.out / "tangent.md"
    page.write_text(filled_in(page.read_text(), measurements.record, size))
    draw(measurements.record, size, options.out / "tangent.png")


if __name__ == "__main__":
    main()
