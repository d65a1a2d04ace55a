"""The peers' benchmark as a page and a picture."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from libraries import KERNEL
from peer_timing import CALLS
from records import heading, number, table

OURS, TENSORCIRCUIT, TORCHQUANTUM = "qtrl numba", "TensorCircuit-NG", "TorchQuantum"

Times = dict[tuple[str, str, int], float]


def page(record: dict[str, Any]) -> str:
    """Write the whole page."""
    times = {
        (cell["library"], cell["kind"], cell["batch"]): cell["microseconds_per_sample"] for cell in record["cells"]
    }
    size = record["circuit"]
    parts = [
        "# qtrl and its peers",
        f"`efficient_su2({size['n_qubits']}, {size['reps']})` on a CPU, random angles, the same for all. This page is "
        "written by",
        heading(record),
        _explanation(record),
        "![Microseconds per sample over the batch](peers.png)",
    ]
    for kind in CALLS:
        parts += [f"## {kind.capitalize()}, microseconds per sample", _times(record, times, kind)]
    for base in (TENSORCIRCUIT, TORCHQUANTUM):
        if base in record["libraries"]:
            parts += [f"## Forward, times as fast as {base}", _ratios(record, times, base)]
    parts += ["## Targets", _targets(times), "## First call, seconds", _first_calls(record), "## How", _how(record)]
    if record["skipped"]:
        parts += ["## Left out", "\n".join(f"- {line}." for line in record["skipped"])]
    return "\n\n".join(part for part in parts if part) + "\n"


def _explanation(record: dict[str, Any]) -> str:
    worst = {
        kind: max(entry["error"] for entry in record["agreement"] if entry["kind"] == kind)
        for kind in ("probabilities", "gradient")
    }
    text = (
        "*Forward*: angles in, probabilities of all bit strings, and from them the probability of reading 1 on each "
        "qubit out. *Gradient*: that of a weighted sum of these, in every angle, forward pass included. Medians of "
        f"measurements taken in turns; the first call, which compiles where the library does, stands apart. Before, "
        f"all libraries were compared with double precision: probabilities differed by at most "
        f"{worst['probabilities']:.0e}, gradients by {worst['gradient']:.0e}."
    )
    return textwrap.fill(text, 120, break_on_hyphens=False)


def _batches(record: dict[str, Any]) -> list[int]:
    return sorted({cell["batch"] for cell in record["cells"]})


def _rows(record: dict[str, Any], text: Callable[[str, int], str]) -> str:
    """Write a table with a row for each library and a column for each batch; rows of nothing are left out."""
    batches = _batches(record)
    rows = ([name, *(text(name, batch) for batch in batches)] for name in record["libraries"])
    return table(["batch", *map(str, batches)], (row for row in rows if any(cell != "—" for cell in row[1:])))


def _times(record: dict[str, Any], times: Times, kind: str) -> str:
    return _rows(record, lambda name, batch: number(times.get((name, kind, batch))))


def _ratios(record: dict[str, Any], times: Times, base: str) -> str:
    def text(name: str, batch: int) -> str:
        own, other = times.get((name, "forward", batch)), times.get((base, "forward", batch))
        return number(other / own if own and other else None)

    return _rows(record, text)


def _targets(times: Times) -> str:
    """Compare with what was aimed at, where that was measured."""

    def quotient(over: tuple[str, str], under: tuple[str, str]) -> float | None:
        pair = times.get((*over, 256)), times.get((*under, 256))
        return pair[0] / pair[1] if pair[0] and pair[1] else None

    found = [
        (f"{KERNEL}: batch 256, µs per sample", times.get((KERNEL, "forward", 256)), "at most", 8),
        (f"{KERNEL}: one sample, µs", times.get((KERNEL, "forward", 1)), "at most", 16),
        (f"{OURS}: batch 256, µs per sample", times.get((OURS, "forward", 256)), "at most", 10),
        (f"{OURS}: one sample, µs", times.get((OURS, "forward", 1)), "at most", 40),
    ]
    for name in (KERNEL, OURS):
        cost = quotient((name, "gradient"), (name, "forward"))
        found.append((f"{name}: batch 256, gradient in units of forward", cost, "at most", 4))
    for base, least in ((TENSORCIRCUIT, 18), (TORCHQUANTUM, 75)):
        gain = quotient((base, "forward"), (OURS, "forward"))
        found.append((f"{OURS}: batch 256, forward, times as fast as {base}", gain, "at least", least))
    rows = (
        [what, f"{sense} {limit}", number(value), "yes" if (value <= limit) == (sense == "at most") else "no"]
        for what, value, sense, limit in found
        if value is not None
    )
    return table(["", "aim", "measured", "met"], rows)


def _first_calls(record: dict[str, Any]) -> str:
    """Take the longest: some compile once, some for each batch."""
    calls = {"forward": ("forward", "probabilities", "expectations"), "gradient": ("gradient",)}

    def longest(name: str, kind: str) -> float | None:
        entries = (entry for entry in (*record["agreement"], *record["cells"]) if entry["library"] == name)
        return max((entry["first_call_seconds"] for entry in entries if entry["kind"] in calls[kind]), default=None)

    rows = ([name, *(number(longest(name, kind)) for kind in CALLS)] for name in record["libraries"])
    return table(["", *CALLS], rows)


def _how(record: dict[str, Any]) -> str:
    versions = record["versions"]
    lines = [f"- {name}: {how}." for name, how in record["libraries"].items()]
    lines += ["", "Versions: " + ", ".join(f"{name} {number}" for name, number in versions.items()) + "."]
    return "\n".join(lines)


def draw(record: dict[str, Any], picture: Path) -> None:
    """Draw microseconds per sample over the batch, both on logarithmic axes, one line for each library."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), dpi=150, layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, kind in zip(panels, CALLS, strict=True):
        for place, name in enumerate(record["libraries"]):
            cells = [cell for cell in record["cells"] if (cell["library"], cell["kind"]) == (name, kind)]
            batches, times = [cell["batch"] for cell in cells], [cell["microseconds_per_sample"] for cell in cells]
            ours = name.startswith("qtrl")
            style = {"linewidth": 2.5 if ours else 1.2, "linestyle": "--" if name == KERNEL else "-"}
            axes.plot(batches, times, color=f"C{place}", marker="o" if ours else ".", label=name, **style)
        axes.set(xscale="log", yscale="log", xlabel="batch", title=kind)
        axes.set_xticks(_batches(record), _batches(record))
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("microseconds per sample")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    figure.savefig(picture)
