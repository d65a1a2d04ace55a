"""Copy what a report reads of the finished runs of a study, to be committed: config, metrics and summary.

python tests/benchmarks/keep_results.py runs/study/pendulum docs/results/pendulum/data
"""

import json
import re
import sys
from pathlib import Path

FILES = ("config.yaml", "metrics.csv", "summary.json")


def keep(study: Path, results: Path) -> list[Path]:
    """Copy the runs that are complete and not there yet; return their folders."""
    kept = []
    for summary in sorted(study.glob("*/*/summary.json")):
        folder = results / summary.parent.relative_to(study)
        if json.loads(summary.read_text())["status"] != "complete" or all((folder / name).exists() for name in FILES):
            continue
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            text = (summary.parent / name).read_text()
            (folder / name).write_text(_without_places(text) if name == "config.yaml" else text)
        kept.append(folder)
    return kept


def _without_places(text: str) -> str:
    """Leave out of a config where the run lay: whoever reads a run folder knows where it is."""
    return re.sub(r"(?m)^(paths:\n  runs: ).*$", r"\1runs", re.sub(r"(?m)^run_dir: .*\n", "", text))


if __name__ == "__main__":
    for folder in keep(Path(sys.argv[1]), Path(sys.argv[2])):
        print(folder)
