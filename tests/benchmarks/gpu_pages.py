"""Write what was measured on a GPU as a page: `python tests/benchmarks/gpu_pages.py build/gpu`."""

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib
from records import filled, number, table

matplotlib.use("agg")
import matplotlib.pyplot as plt

ENGINES = ("triton", "statevector", "torchquantum", "tensorcircuit", "pennylane")
KINDS = {
    "expectations": "Expectations of all qubits",
    "shots": "Mean of 100 shots",
    "gradient": "Gradient of a weighted sum of the expectations, with its forward pass",
}
BATCHES = (1, 256, 1024, 8192, 65536)


def conditions(record: dict[str, Any]) -> str:
    """Say on what and how a part was measured."""
    card, package = record["card"], record["versions"]
    text = f"""
    {record["date"]}, {card["name"]}, driver {card.get("driver", "none")}, CUDA {card.get("cuda", "none")}, torch
    {package["torch"]}, Python {package["python"]}, {record["cores"]} CPU cores, commit {record["git_commit"]}.
    {record.get("note", "")}
    """
    return f"```bash\n{record['command']}\n```\n\n{filled(text)}"


def value(record: dict[str, Any], name: str, key: str) -> float | None:
    """Return one number, or None where it was not measured."""
    found: float | None = record["results"].get(name, {}).get("value", {}).get(key)
    return found


def megabytes(size: float | None) -> str:
    """Write bytes as megabytes, a dash where they were not measured."""
    return number(size / 1e6 if size else None)


def circuit_tables(record: dict[str, Any]) -> str:
    """Write a table of microseconds for each kind of call."""
    parts = []
    for kind, title in KINDS.items():
        rows = []
        for engine in ENGINES:
            for suffix, how in (("", ""), (" graph", ", CUDA graph")):
                names = [f"{engine} {kind} {batch}{suffix}" for batch in BATCHES]
                cells = [value(record, name, "microseconds_per_sample") for name in names]
                if any(cells):
                    rows.append([f"`{engine}`{how}", *map(number, cells)])
        parts.append(f"**{title}**\n\n" + table(["µs for one sample, in batches of", *map(str, BATCHES)], rows))
    return "\n\n".join(parts)


def update_table(record: dict[str, Any]) -> str:
    """Write a table of update rates."""
    rows = []
    for mode in ("eager", "default", "reduce-overhead", "graphs"):
        for block in ("pqc", "fc"):
            counts = [
                value(record, f"{block} {mode} operations", key) for key in ("launches", "graph_launches", "waits")
            ]
            rates = [value(record, f"{block} {size} {mode}", "updates_per_second") for size in (256, 4096)]
            memory = megabytes(value(record, f"{block} 256 {mode}", "peak_memory_bytes"))
            if any(rates) or any(counts):
                rows.append([f"`humanoid_{block}`, {mode}", *map(number, [*rates, *counts]), memory])
    head = ["", "updates/s, batch 256", "batch 4,096", "kernels launched", "graphs launched", "waits for the device"]
    head.append("MB at most, batch 256")
    return table(head, rows)


def training_table(record: dict[str, Any]) -> str:
    """Write a table of whole runs."""
    keys = ("time/env_steps_per_second", "time/updates_per_second", "env_steps", "highest train/return")
    parts, rows = ("env", "policy", "replay"), []
    for name in record["results"]:
        shares = [value(record, name, f"share {part}") for part in parts]
        memory = [megabytes(value(record, name, f"{where}_bytes")) for where in ("device", "host")]
        cells = [number(value(record, name, key)) for key in keys]
        rows.append([name, *cells, *("—" if share is None else f"{share:.0%}" for share in shares), *memory])
    head = ["way", "env steps/s", "updates/s", "env steps made", "highest return", *parts]
    return table([*head, "MB on the card", "MB beside"], rows)


def draw(record: dict[str, Any], file: Path) -> None:
    """Draw the time of a sample over the batch."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    for axis, kind in zip(axes, ("expectations", "gradient"), strict=True):
        for number_of, engine in enumerate(ENGINES):
            found = [(b, value(record, f"{engine} {kind} {b}", "microseconds_per_sample")) for b in BATCHES]
            points = [(batch, cell) for batch, cell in found if cell is not None]
            if points:
                axis.loglog(*zip(*points, strict=True), "o-", color=f"C{number_of}", label=engine)
        axis.set(title=kind.capitalize(), xlabel="samples in a batch")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("µs for one sample")
    axes[0].legend(frameon=False)
    figure.savefig(file, dpi=110)


def main() -> None:
    """Fill the marked places of `gpu.md`, and write `gpu.json` and `gpu.png`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("found", type=Path, nargs="?", default=Path("build/gpu"))
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    options = parser.parse_args()
    file = options.out / "gpu.json"
    records: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    for name in ("circuits", "updates", "training"):
        if (options.found / f"{name}.json").exists():
            records[name] = json.loads((options.found / f"{name}.json").read_text())
    file.write_text(json.dumps(records, indent=1) + "\n")
    tables = {"circuits": circuit_tables, "updates": update_table, "training": training_table}
    page = file.with_suffix(".md")
    text = page.read_text()
    for name, record in records.items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, _, rest = text.partition(start)
        after = rest.partition(end)[2]
        text = f"{before}{start}\n\n{tables[name](record)}\n\n{conditions(record)}\n\n{end}{after}"
    page.write_text(text)
    draw(records["circuits"], file.with_suffix(".png"))


if __name__ == "__main__":
    main()
