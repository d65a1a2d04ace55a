"""How good the gradient was in the runs of `study/tangent`, as a table of the page on it and a picture.

python tests/benchmarks/tangent_training.py [docs/results/tangent]

Each row is a run of `data/`: means over its probes from 10,000 env steps on. A second table has what the frozen-policy
ablations in `frozen_policy/` found. Tables stand between their markers on the page; the picture has all probes.
"""

import csv
import statistics
import sys
from pathlib import Path

FIRST = 10_000
"""Env steps from which on probes count: before, the qtDNN has hardly been fitted."""
PAGE = Path(__file__).parents[2] / "docs" / "tangent.md"
AFTER_WARMUP = 7_500
CURVES = ("angle_gradient_cosine", "jacobian_cosine", "explained_share", "signal_to_shot_noise")
UNBOUNDED = ("signal_to_shot_noise",)
COLORS = ("#e76f51", "#1d3557", "#2a9d8f")
CONDITIONS = {
    "shots_10": "10 shots",
    "shots_1000": "1,000 shots",
    "exact": "exact",
    "surrogate": "qtDNN",
    "held_at_mean": "mean",
    "other_states": "other states",
    "random_bits": "random bits",
    "zeros": "zeros",
}
COLUMNS = {
    "angle_gradient_cosine": "cosine, loss",
    "jacobian_cosine": "cosine, Jacobian",
    "explained_share": "share of the action",
    "signal_to_shot_noise": "signal to shot noise",
    "angle_displacement": "displacement, rad",
}


def probes(run: Path, first: int = FIRST) -> list[dict[str, float]]:
    """Return the probes of a run from so many env steps on, by metric, with the env steps of each."""
    with (run / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["probe/angle_gradient_cosine"]]
    names = {name: f"probe/{name}" for name in COLUMNS} | {"env_steps": "env_steps"}
    numbers = [{name: float(row[column]) for name, column in names.items()} for row in rows]
    return [row for row in numbers if row["env_steps"] >= first]


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


def draw(study: Path, picture: Path) -> None:
    """Draw some of the metrics over env steps, a line for each run, a color for each kind of pairs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 3.4), dpi=130, layout="constrained")
    panels = dict(zip(CURVES, figure.subplots(1, len(CURVES), sharex=True), strict=True))
    kinds = sorted({path.parents[1].name for path in study.glob("*/seed*/metrics.csv")})
    for path in sorted(study.glob("*/seed*/metrics.csv")):
        rows, kind = probes(path.parent, AFTER_WARMUP), path.parents[1].name
        for name, axes in panels.items():
            steps, values = [row["env_steps"] for row in rows], [row[name] for row in rows]
            label = kind if path.parent.name == "seed0" else None
            axes.plot(steps, values, color=COLORS[kinds.index(kind) % len(COLORS)], alpha=0.8, label=label)
    for name, axes in panels.items():
        axes.set(title=COLUMNS[name], xlabel="env steps", ylim=(0, None if name in UNBOUNDED else 1))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}k")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    panels["angle_gradient_cosine"].legend(loc="lower left", frameon=False)
    figure.savefig(picture)


def ablations(folder: Path) -> str:
    """Return the table of frozen-policy ablations: the run's own return, and differences to it."""
    lines = []
    for path in sorted(folder.glob("*_seed*.csv")):
        with path.open(newline="") as file:
            rows = {row["condition"]: row for row in csv.DictReader(file)}
        uninformed = [row for row in rows.values() if row["uninformed"] == "true"]
        used = all(float(row["high"]) < 0 for row in uninformed)
        own = f"{float(rows['own']['return_mean']):.0f} ± {float(rows['own']['return_std']):.0f}"
        cells = (f"{float(rows[name]['difference']):+.0f}" for name in CONDITIONS)
        pairs, _, seed = path.stem.rpartition("_seed")
        lines.append([f"`{pairs}`", seed, own, *cells, "used" if used else "not shown"])
    head = ["pairs", "seed", "own return", *CONDITIONS.values(), "the layer is"]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---", *["---:"] * (len(head) - 1)], *lines])


def filled_in(page: str, name: str, text: str) -> str:
    """Replace what stands between the markers of a table."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


if __name__ == "__main__":
    results = Path(sys.argv[1] if len(sys.argv) > 1 else PAGE.parent / "results" / "tangent")
    tables = {"training": table(results / "data"), "ablations": ablations(results / "frozen_policy")}
    for name, text in tables.items():
        PAGE.write_text(filled_in(PAGE.read_text(), name, text))
    draw(results / "data", PAGE.with_name("tangent_training.png"))
