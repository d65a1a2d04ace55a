"""What the benchmarks share: a stopwatch, the conditions of a measurement, tables."""

import math
import os
import shlex
import statistics
import sys
import textwrap
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from qtrl.run.provenance import git_commit, versions


def timed(call: Callable[[], Any], repeats: int = 1) -> float:
    """Return the seconds of one of so many calls."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def gflops() -> float:
    """Measure the machine of this minute: GFLOP/s of the qtDNN's product at batch 256."""
    rows, weight = torch.randn(256, 220), torch.randn(2048, 220)
    times = [timed(lambda: rows @ weight.t()) for _ in range(50)]
    return 2e-9 * 256 * 220 * 2048 / statistics.median(times)


def cpu_name() -> str:
    """Return the processor's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown processor"


def conditions(packages: Iterable[str] = ()) -> dict[str, Any]:
    """Return command, date, machine, load and versions, those of `packages` beside qtrl's own."""
    settings = [f"{name}={os.environ[name]}" for name in ("OMP_NUM_THREADS", "GOMP_SPINCOUNT") if name in os.environ]
    return {
        "command": " ".join([*settings, "python", shlex.join(sys.argv)]),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "load_average_before": os.getloadavg(),
        "git_commit": git_commit(),
        "versions": versions() | {package: version(package) for package in packages},
    }


def heading(record: dict[str, Any]) -> str:
    """Say in Markdown how a record was made."""
    before, after = (record[key][0] for key in ("load_average_before", "load_average_after"))
    return (
        f"```bash\n{record['command']}\n```\n\n{record['date']}, {record['machine']}, {record['cores']} cores, "
        f"{record['threads']} torch threads, load average {before:.1f} before and {after:.1f} after the run, "
        f"commit {record['git_commit']}."
    )


def filled(text: str) -> str:
    """Wrap a paragraph of Markdown."""
    return textwrap.fill(" ".join(text.split()), 120, break_on_hyphens=False, break_long_words=False)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Write a Markdown table whose first column is text and whose others are numbers."""
    head = list(head)
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_page(
    record: dict[str, Any],
    file: Path,
    page: Callable[[dict[str, Any]], str],
    draw: Callable[[dict[str, Any], Path], None],
) -> None:
    """Write page and picture of a record beside its JSON file, and print the page."""
    text = page(record)
    file.with_suffix(".md").write_text(text)
    draw(record, file.with_suffix(".png"))
    print(text)


def number(value: float | None) -> str:
    """Write three digits, or a dash where there is no number."""
    if value is None or not math.isfinite(value):
        return "—"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
