"""How good the gradient was in the runs of `study/tangent`, as a table of the page on it.

python tests/benchmarks/tangent_training.py [runs/study/tangent]

Each row is a run: means over its probes from 10,000 env steps on. The table stands between its markers on the page.
"""

import csv
import statistics
import sys
from pathlib import Path

FIRST = 10_000
"""Env steps from which on probes count: before, the qtDNN has hardly been fitted."""
PAGE = Path(__file__).parents[2] / "docs" / "tangent.md"
BEGIN, END = "<!-- training -->", "<!-- end of training -->"
COLUMNS = {
    "angle_gradient_cosine": "cosine, loss",
    "jacobian_cosine": "cosine, Jacobian",
    "explained_share": "share of the action",
    "signal_to_shot_noise": "signal to shot noise",
    "angle_displacement": "displacement, rad",
}


def probes(run: Path) -> list[dict[str, float]]:
    """Return the probes of a run that count, by metric, with the env steps of each."""
    with (run / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["probe/angle_gradient_cosine"]]
    names = {name: f"probe/{name}" for name in COLUMNS} | {"env_steps": "env_steps"}
    numbers = [{name: float(row[column]) for name, column in names.items()} for row in rows]
    return [row for row in numbers if row["env_steps"] >= FIRST]


def table(study: Path) -> str:
    """Return the table of all runs that have a probe that counts."""
    head = ["pairs", "seed", "env steps", *COLUMNS.values()]
    lines = [" | ".join(head), " | ".join(["---", *["---:"] * (len(head) - 1)])]
    for path in sorted(study.glob("*/seed*/metrics.csv")):
        if found := probes(path.parent):
            means = (f"{statistics.fmean(row[name] for row in found):.2f}" for name in COLUMNS)
            steps = f"{int(found[-1]['env_steps']):,}"
            lines.append(" | ".join([f"`{path.parents[1].name}`", path.parent.name[4:], steps, *means]))
    return "\n".join(f"| {line} |" for line in lines)


def filled_in(page: str, text: str) -> str:
    """Replace what stands between the markers of a page."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


if __name__ == "__main__":
    study = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/study/tangent")
    PAGE.write_text(filled_in(PAGE.read_text(), table(study)))
