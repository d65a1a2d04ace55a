"""The comparison of estimators as a page and a picture."""

import math
import textwrap
from pathlib import Path
from typing import Any

from records import heading, number, table


def page(record: dict[str, Any]) -> str:
    """Write the whole page."""
    parts = [
        "# Gradient estimators",
        "This page is written by",
        heading(record),
        "![Cost and cosine of the estimators; fidelity and cost of the qtDNN](estimators.png)",
        "## Cost and direction",
        _explanation(record),
        _comparison(record),
        "## The qtDNN over qubits and width",
        _about_growth(record),
        _growth(record),
    ]
    return "\n\n".join(parts) + "\n"


def _explanation(record: dict[str, Any]) -> str:
    text = (
        f"Humanoid-v4, batch 256, 10 qubits, 220 angles, after {record['warmup_env_steps']} env steps of warm-up and "
        "the updates that the table names, of the experiment `humanoid_pqc`, on the minibatch that the last of them "
        "used. *Circuits* and *ms* are those of one gradient of the actor's loss in PreDNN and PostDNN; *fits, ms* is "
        "what keeping the estimator up to date costs between two of these. The cosines are with the exact gradient: in "
        "PreDNN's weights *through the circuit* alone; in the *angles* of each row by itself; and in PreDNN's weights "
        "as a *whole*, with what goes round the circuit by the links and is nearly the same for all: the row `zero` "
        "says how much that alone makes. *Norm* is through the circuit, in units of the exact one. The last three "
        "columns are after the last of these updates."
    )
    return textwrap.fill(text, 120, break_on_hyphens=False)


def _comparison(record: dict[str, Any]) -> str:
    updates = sorted({entry["updates"] for entry in record["agreement"]})
    found = {(entry["estimator"], entry["updates"]): entry for entry in record["agreement"]}
    rows = []
    for cost in record["costs"]:
        name = cost["estimator"]
        last = found[name, updates[-1]]
        fits = number(cost["fit_milliseconds"]) if cost["fit_milliseconds"] > 0.01 else "—"
        through = [_cosine(found[name, count]["circuit"]) for count in updates]
        others = [_cosine(last["angles"]), _cosine(last["whole"]), number(last["norm"])]
        rows.append([name, f"{cost['circuits']:,}", number(cost["milliseconds"]), fits, *through, *others])
    cosines = [f"through the circuit, {count} updates" for count in updates]
    return table(["estimator", "circuits", "ms", "fits, ms", *cosines, "angles", "whole", "norm"], rows)


def _cosine(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "—"


def _about_growth(record: dict[str, Any]) -> str:
    text = (
        "`efficient_su2(qubits, 10)`, batch 256, no reinforcement learning: angles scatter around one point, "
        "independently, with a deviation of 0.1; the circuit answers by the mean of 100 shots; the qtDNN is fitted "
        f"{record['fits']:,} times, one Adam step on 256 of 65,536 such pairs each. On the last minibatch: *spread* is "
        "the deviation of the exact expectations over the rows; *excess* is the binary cross-entropy above the "
        "circuit's own floor, in nats per qubit, beside that of a *constant* answer; *calibration* is the mean "
        "distance between the qtDNN's probability and the circuit's; *cosine* is that of the gradient in the angles "
        "with the exact one. *Width* is in units of 2^(qubits + 1)."
    )
    return textwrap.fill(text, 120, break_on_hyphens=False)


def _growth(record: dict[str, Any]) -> str:
    head = ["qubits", "width", "hidden", "spread", "excess", "constant", "calibration", "cosine", "one fit, ms"]
    rows = (
        [
            str(entry["qubits"]),
            f"{entry['width']:g}",
            f"{entry['hidden']:,}",
            f"{entry['spread']:.3f}",
            f"{entry['excess']:.1e}",
            f"{entry['constant_excess']:.1e}",
            f"{entry['calibration_error']:.3f}",
            _cosine(entry["cosine"]),
            number(entry["fit_milliseconds"]),
        ]
        for entry in record["growth"]
    )
    return table(head, rows)


def draw(record: dict[str, Any], picture: Path) -> None:
    """Draw the estimators as points of cost and cosine, then three properties of the qtDNN over the qubits."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 8), dpi=150, layout="constrained")
    (points, excess), (cosine, cost) = figure.subplots(2, 2)
    _draw_estimators(record, points)
    qubits = sorted({entry["qubits"] for entry in record["growth"]})
    panels = {
        "excess": (excess, "qtDNN: cross-entropy above the floor, nats per qubit", "log"),
        "cosine": (cosine, "qtDNN: cosine with the exact gradient in the angles", "linear"),
        "fit_milliseconds": (cost, "qtDNN: one fit, ms", "log"),
    }
    for key, (axes, title, scale) in panels.items():
        for width in sorted({entry["width"] for entry in record["growth"]}):
            values = [entry[key] for entry in record["growth"] if entry["width"] == width]
            axes.plot(qubits, values, "o-", label=f"{width:g}")
        axes.set(xlabel="qubits", title=title, yscale=scale)
        axes.set_xticks(qubits)
        axes.grid(alpha=0.3)
    constant = {entry["qubits"]: entry["constant_excess"] for entry in record["growth"]}
    excess.plot(qubits, [constant[n] for n in qubits], "k--", label="a constant answer")
    excess.legend(frameon=False, title="hidden / 2^(qubits + 1)")
    figure.savefig(picture)


def _draw_estimators(record: dict[str, Any], axes: Any) -> None:
    last = max(entry["updates"] for entry in record["agreement"])
    cosines = {e["estimator"]: e["circuit"] for e in record["agreement"] if e["updates"] == last}
    for cost in record["costs"]:
        cosine, total = cosines[cost["estimator"]], cost["milliseconds"] + cost["fit_milliseconds"]
        if math.isfinite(cosine):
            axes.plot(total, cosine, "o", label=cost["estimator"])
    axes.set(
        xscale="log",
        xlabel="ms for each actor update, fits included",
        title="cosine with the exact gradient through the circuit",
    )
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize="small")
