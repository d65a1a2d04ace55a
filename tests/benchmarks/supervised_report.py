"""The comparison on supervised data as a page and a picture: `python tests/benchmarks/supervised_report.py`."""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from records import filled, number, table

from qtrl.analysis.drawing.export import new_figure, to_png
from qtrl.analysis.statistics.estimates import iqm, iqm_interval
from qtrl.analysis.statistics.significance import holm, permutation_p_value

FOLDER = Path("docs/results/supervised")
REFERENCE = "qtdnn, local"

INTRODUCTION = """
Which gradient of the circuit does a classifier learn by, and what does it cost? One network learns scikit-learn's
digits (64 pixels, ten classes, 1,347 images to learn from, 450 for the test) with one gradient estimator at a time, and
everything else equal: the split and the minibatches of a seed, Adam, the layers around the circuit, and the circuit,
`efficient_su2(10, 2)` with 60 angles and 1,000 shots. Nothing bypasses the circuit: with the gradient `zero`, what lies
before it stays as it was drawn.
"""
COLUMNS = """
*Accuracy* is that of the test with the real circuit and its shots, the interquartile mean over seeds with its 95 %
interval. *p* is that of a permutation test against `qtdnn, local`, with Holm's correction. *Circuits* are those of one
update of 64 images, each run 1,000 times; *shots* says exact where the estimator needs amplitudes, which no quantum
computer gives. *Cosine* is that of the loss's gradient in the weights before the circuit with the exact one, the mean
over probes every 50 updates and over seeds. *CPU seconds* are those of an epoch, 21 updates, on one thread: the median.
"""
NO_SHIFTS = """
The parameter shift, with 121 circuits an image, is timed below; five seeds of it take hours and were not trained.
"""
EXACT = ("exact", "straight_through")


def page(estimators: dict[str, Any], peers: dict[str, Any] | None) -> str:
    """Write the whole page."""
    parts = [
        "# Gradients on supervised data",
        filled(INTRODUCTION),
        "![Test error of each seed by estimator, and cosines over updates](estimators.png)",
    ]
    left_out = "" if "parameter_shift" in estimators["runs"] else NO_SHIFTS
    parts += ["## Estimators", filled(COLUMNS + left_out), _estimators(estimators["runs"])]
    parts += [_how(estimators["conditions"])]
    if peers:
        parts += ["## Other libraries", filled(_about_peers()), _peers(peers), _how(peers["conditions"])]
    return "\n\n".join(parts) + "\n"


def _estimators(runs: dict[str, Any]) -> str:
    accuracies = {name: np.array([run["accuracy"] for run in seeds.values()]) for name, seeds in runs.items()}
    others = [name for name in accuracies if name != REFERENCE]
    p_values = holm([permutation_p_value(accuracies[name], accuracies[REFERENCE]) for name in others])
    p_of = dict(zip(others, p_values, strict=True))
    rows = []
    for name, seeds in runs.items():
        values, every = accuracies[name], list(seeds.values())
        interval = iqm_interval(values)
        shown = f"{100 * iqm(values):.1f} % ({100 * interval.low:.1f} to {100 * interval.high:.1f})"
        circuits = {run["circuits"] / run["updates"] for run in every}
        cosines = [cosine for run in every for _, cosine in run["cosine"] if math.isfinite(cosine)]
        seconds = float(np.median([run["cpu_seconds_per_epoch"] for run in every]))
        p = f"{p_of[name]:.3f}" if math.isfinite(p_of.get(name, math.nan)) else "—"
        shots = "exact" if name in EXACT else "1,000"
        mean = f"{np.mean(cosines):.2f}" if cosines else "—"
        rows.append([f"`{name}`", shown, str(len(values)), p, number(max(circuits)), shots, mean, number(seconds)])
    return table(["gradient", "accuracy", "seeds", "p", "circuits", "shots", "cosine", "CPU seconds"], rows)


def _about_peers() -> str:
    return (
        "The same network with the layers of other libraries, one thread, 64 images in an update, in turns; an epoch "
        "is 21 times the median update. Where that is short it was trained for ten, one seed. The parameter shift of "
        "PennyLane and Qiskit's connector take one row after the other: there one update of two images was timed, and "
        "an epoch is 672 times that. Qiskit's estimator draws the noise of 1,000 shots from a normal distribution."
    )


def _peers(peers: dict[str, Any]) -> str:
    rows = []
    for name, entry in peers["layers"].items():
        accuracy = "—" if entry["accuracy"] is None else f"{100 * entry['accuracy']:.1f} %"
        rows.append([name, number(entry["cpu_seconds_per_epoch"]), accuracy])
    return table(["layer", "CPU seconds of an epoch", "accuracy after 10 epochs"], rows)


def _how(conditions: dict[str, Any]) -> str:
    load = conditions["load_average_before"][0]
    what = f"{conditions['date']}, {conditions['machine']}, load average {load:.1f}, commit {conditions['git_commit']}."
    return f"```bash\n{conditions['command']}\n```\n\n{what}"


def draw(runs: dict[str, Any], path: Path) -> None:
    """Draw the error of each seed, and cosines over updates."""
    figure = new_figure(11, 4.5)
    left, right = figure.subplots(1, 2)
    for place, seeds in enumerate(runs.values()):
        errors = [100 * (1 - run["accuracy"]) for run in seeds.values()]
        left.plot(errors, [place] * len(errors), "o", color=f"C{place}", alpha=0.6)
        curves = [
            {update: cosine for update, cosine in run["cosine"] if math.isfinite(cosine)} for run in seeds.values()
        ]
        at = sorted(set.intersection(*(set(curve) for curve in curves)))
        right.plot(at, [np.mean([curve[update] for curve in curves]) for update in at], color=f"C{place}")
    left.set(xscale="log", xlabel="test error, %, one point for each seed", ylim=(len(runs) - 0.5, -0.5))
    left.set_yticks(range(len(runs)), list(runs))
    left.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    right.set(xlabel="updates", ylabel="cosine with the exact gradient", ylim=(-0.05, 1.05))
    for tick, place in zip(left.get_yticklabels(), range(len(runs)), strict=True):
        tick.set_color(f"C{place}")
    path.write_bytes(to_png(figure))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    folder = parser.parse_args().folder
    estimators = json.loads((folder / "estimators.json").read_text())
    peers = folder / "peers.json"
    (folder / "index.md").write_text(page(estimators, json.loads(peers.read_text()) if peers.exists() else None))
    draw(estimators["runs"], folder / "estimators.png")


if __name__ == "__main__":
    main()
