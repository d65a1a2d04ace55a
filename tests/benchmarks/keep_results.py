"""Copy what a report reads of the finished runs of a study, to be committed: config, metrics and summary.

python tests/benchmarks/keep_results.py runs/study/pendulum docs/results/pendulum/data
"""

import json
import sys
from pathlib import Path

FILES = ("config.yaml", "metrics.csv", "summary.json")
OF_THE_MACHINE = "run_dir: "
"""Where the run lay says nothing to others; whoever reads a run folder knows where it is."""


def keep(study: Path, results: Path) -> list[Path]:
    """Copy the runs that are complete and not there yet; return their folders."""
    kept = []
    for summary in sorted(study.glob("*/*/summary.json")):
        folder = results / summary.parent.relative_to(study)
        if json.loads(summary.read_text())["status"] != "complete" or all((folder / name).exists() for name in FILES):
            continue
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            lines = (summary.parent / name).read_text().splitlines(keepends=True)
            (folder / name).write_text("".join(line for line in lines if not line.startswith(OF_THE_MACHINE)))
        kept.append(folder)
    return kept


if __name__ == "__main__":
    for folder in keep(Path(sys.argv[1]), Path(sys.argv[2])):
        print(folder)
