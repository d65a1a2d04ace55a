"""The metrics that a report draws over env steps, and their bands."""

from collections.abc import Iterable, Mapping
from itertools import product
from typing import NamedTuple

from qtrl.analysis.runs.measure import Measure
from qtrl.analysis.runs.study import Study
from qtrl.analysis.statistics.bands import Band, band
from qtrl.keys import INFO_NAME

Bands = Mapping[str, Mapping[str, Band]]
"""Bands by metric, then by label."""


class Panel(NamedTuple):
    """One pair of axes over env steps, or what else is counted; a second metric is dotted, without its interval."""

    title: str
    axis: str
    note: str
    metrics: tuple[str, ...]
    log: bool = False
    counts: str = "env steps"


LEARNING = Panel(
    "Test return while training",
    "test return (reward)",
    "Noise-free test episodes with the real block, on the same start seeds at every test.",
    ("test/return_mean",),
)
GAP = Panel(
    "Training return less test return",
    "gap (reward)",
    "Above 0 the agent did better in training, with exploration noise, than in the tests. The first point has the "
    "warm-up's random actions in it.",
    ("test/gap",),
)
PAPER = (
    Panel(
        "Training return",
        "training return (reward)",
        "Episodes of the collection, with exploration noise.",
        ("train/return",),
    ),
    Panel("Test return", "test return (reward)", "Noise-free episodes on fixed start seeds.", ("test/return_mean",)),
    Panel(
        "Critic loss",
        "critic loss (reward²)",
        "Mean squared error of both critics together, on a logarithmic scale.",
        ("loss/critic",),
        log=True,
    ),
    Panel(
        "Actor loss",
        "actor loss (reward)",
        "Minus the first critic's mean value of the actor's actions.",
        ("loss/actor",),
    ),
    Panel(
        "Surrogate's cross-entropy",
        "cross-entropy (nats)",
        "The qtDNN's error on each minibatch before its fit, and dotted after it; a fit of one step has a single "
        "error, so that both lines are one. Only blocks with a qtDNN have any.",
        ("surrogate/bce_before", "surrogate/bce_after"),
    ),
    Panel(
        "Entropy of the block's outputs",
        "entropy of q_out (bits)",
        "Of each output's mean over a minibatch, summed: at most the number of outputs, 0 where each is always 0 or 1.",
        ("train/q_out_entropy",),
    ),
)
"""The panels of the paper's Figure 4."""
QUANTUM_LAYER = (
    Panel(
        "Cosine of the loss's gradient",
        "cosine (1: the exact direction)",
        "The gradient of the actor's loss in the angles against the exact one. From 0.6 on it points the right way, "
        "below 0.2 it is noise.",
        ("probe/angle_gradient_cosine",),
    ),
    Panel(
        "Cosine of the Jacobian",
        "cosine (1: the exact slopes)",
        "All slopes of the qtDNN against those of the circuit's expectations, whatever the critic asks for.",
        ("probe/jacobian_cosine",),
    ),
    Panel(
        "Share of the action explained",
        "share of the variance",
        "What goes of the actions' variance when the outputs of the layer are held. From 0.3 on the layer is used, "
        "below 0.05 it is not.",
        ("probe/explained_share",),
    ),
    Panel(
        "Displacement of the angles",
        "distance (rad)",
        "Of all angles together from the circuit's base point, mean over rows. Slopes learned near the base are "
        "worth less further off.",
        ("probe/angle_displacement",),
    ),
    Panel(
        "Concentration: slopes",
        "norm of the Jacobian (1/rad)",
        "How strongly the expectations answer to the angles; it vanishes where the circuit concentrates.",
        ("probe/jacobian_norm",),
    ),
    Panel(
        "Concentration: outputs",
        "deviation of the expectations",
        "How far the expectations differ between states; shots hide what is much below their noise.",
        ("probe/expectation_std",),
    ),
)
"""Whether the quantum layer is used, and whether its gradient points the right way."""
EXAMPLES = (
    Panel(
        "Training loss",
        "loss (nats, or squared error)",
        "Of the newest minibatch, with the gradient estimator in the block's place, on a logarithmic scale. Numbers to "
        "predict are standardized.",
        ("train/loss",),
        log=True,
    ),
    Panel(
        "Validation loss",
        "loss (nats, or squared error)",
        "With the real block, on rows that are not learned from, on a logarithmic scale.",
        ("validation/loss",),
        log=True,
    ),
    Panel(
        "Calibration error",
        "calibration error",
        "How far confidence is from accuracy, mean over validation rows in ten bins.",
        ("validation/calibration_error",),
    ),
    Panel(
        "Root mean squared error",
        "error (units of the target)",
        "Of the validation rows.",
        ("validation/rmse",),
    ),
    PAPER[4],
    Panel(
        "Gradient of the model",
        "norm",
        "Of everything but the qtDNN, through the estimator, on a logarithmic scale.",
        ("gradient/model",),
        log=True,
    ),
)
"""How a model learned a table of examples."""


MOST_INFO = 12
"""Keys of `info` that are drawn; the others are in `metrics.csv` alone."""


def info_panels(study: Study) -> list[Panel]:
    """Return a panel for each number of the environment's `info` that runs logged, in alphabetical order."""
    columns = {
        column for runs in study.runs.values() for run in runs for column, curve in run.columns.items() if len(curve[0])
    }
    start = "test/info/"
    names = sorted(name[len(start) :] for name in columns if name.startswith(start))
    note = "What the environment said of itself, in the tests; dotted, in training."
    return [
        Panel(name, name, note, (f"test/info/{name}", f"train/info/{name}"))
        for name in names
        if INFO_NAME.fullmatch(name)
    ][:MOST_INFO]


def learning_panel(measure: Measure) -> Panel:
    """Return the panel of the score while training."""
    if measure.curve in LEARNING.metrics:
        return LEARNING
    score = f"{measure.tests} {measure.name}"
    return Panel(
        f"{measure.tests.capitalize()} {measure.name} while training",
        f"{score} ({measure.unit})",
        f"The {score}, with the real block.",
        (measure.curve,),
        counts=measure.counts,
    )


def logged(study: Study, panels: Iterable[Panel]) -> list[Panel]:
    """Return the panels of which a run logged a metric."""
    runs = [run for of_label in study.runs.values() for run in of_label]
    found = {name for run in runs for name, (steps, _) in run.columns.items() if len(steps)}
    return [panel._replace(counts=study.measure.counts) for panel in panels if found.intersection(panel.metrics)]


def bands_of(study: Study) -> Bands:
    """Aggregate every metric that is drawn over the seeds of each label; labels without a metric are left out."""
    learning = learning_panel(study.measure)
    panels = (learning, *PAPER, *QUANTUM_LAYER, GAP, *logged(study, EXAMPLES), *info_panels(study))
    logs = {metric: panel.log for panel in panels for metric in panel.metrics}
    bands: dict[str, dict[str, Band]] = {metric: {} for metric in logs}
    for metric, (label, runs) in product(logs, study.runs.items()):
        curves = [run.columns[metric] for run in runs if metric in run.columns and len(run.columns[metric][0])]
        if curves and len((found := band(curves, log=logs[metric])).env_steps):
            bands[metric][label] = found
    return bands


def limits(bands: Iterable[Band], *, log: bool) -> tuple[float, float] | None:
    """Return the ends of an axis, linear or logarithmic: a little beyond the values of all seeds; None without any."""
    found = list(bands)
    if not found:
        return None
    low, high = min(one.lowest for one in found), max(one.highest for one in found)
    if log:
        return (max(low, 1e-6 * high) / 1.3, high * 1.3) if high > 0 else None
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin
