"""What is drawn over env steps, for the pictures and the page alike."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from qtrl.report.runs import Study
from qtrl.report.statistics import Band, band

Bands = Mapping[str, Mapping[str, Band]]
"""Bands by metric, then by label."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes with env steps below.

    Attributes:
        name: Short, for files and addresses.
        title: What stands above.
        axis: Name and unit of the values.
        note: What the reader should know, in one sentence or two.
        metrics: The metric that is drawn; a second one is drawn dotted, without its interval.
        log: Whether values are on a logarithmic scale.
    """

    name: str
    title: str
    axis: str
    note: str
    metrics: tuple[str, ...]
    log: bool = False


LEARNING = Panel(
    "learning_curves",
    "Test return while training",
    "test return (reward)",
    "Noise-free test episodes with the real block, on the same start seeds at every test.",
    ("test/return_mean",),
)
GAP = Panel(
    "gap",
    "Training return less test return",
    "gap (reward)",
    "Above 0 the agent did better in training, with exploration noise, than in the tests. The first point has the "
    "warm-up's random actions in it.",
    ("test/gap",),
)
PAPER = (
    Panel(
        "train_return",
        "Training return",
        "training return (reward)",
        "Episodes of the collection, with exploration noise.",
        ("train/return",),
    ),
    Panel(
        "test_return",
        "Test return",
        "test return (reward)",
        "Noise-free episodes on fixed start seeds.",
        ("test/return_mean",),
    ),
    Panel(
        "critic_loss",
        "Critic loss",
        "critic loss (reward²)",
        "Mean squared error of both critics together, on a logarithmic scale.",
        ("loss/critic",),
        log=True,
    ),
    Panel(
        "actor_loss",
        "Actor loss",
        "actor loss (reward)",
        "Minus the first critic's mean value of the actor's actions.",
        ("loss/actor",),
    ),
    Panel(
        "surrogate",
        "Surrogate's cross-entropy",
        "cross-entropy (nats)",
        "The qtDNN's error on each minibatch before its fit, and dotted after it; a fit of one step has a single "
        "error, so that both lines are one. Only blocks with a qtDNN have any.",
        ("surrogate/bce_before", "surrogate/bce_after"),
    ),
    Panel(
        "entropy",
        "Entropy of the block's outputs",
        "entropy of q_out (bits)",
        "Of each output's mean over a minibatch, summed: at most the number of outputs, 0 where each is always 0 or 1.",
        ("train/q_out_entropy",),
    ),
)
"""The panels of the paper's Figure 4."""


def bands_of(study: Study) -> Bands:
    """Put the seeds of each label together, for every metric that is drawn; labels without a metric are left out."""
    metrics = {metric: panel.log for panel in (LEARNING, *PAPER, GAP) for metric in panel.metrics}
    return {metric: _bands(study, metric, log=log) for metric, log in metrics.items()}


def limits(bands: Iterable[Band], *, log: bool) -> tuple[float, float] | None:
    """Return where an axis ends: just beyond the values of all seeds, however far intervals reach; None without any."""
    found = [one for one in bands if len(one.env_steps)]
    if not found:
        return None
    low, high = min(one.lowest for one in found), max(one.highest for one in found)
    if log:
        return (max(low, 1e-6 * high) / 1.3, high * 1.3) if high > 0 else None
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _bands(study: Study, metric: str, *, log: bool) -> dict[str, Band]:
    curves = {
        label: [run.columns[metric] for run in runs if metric in run.columns and len(run.columns[metric][0])]
        for label, runs in study.runs.items()
    }
    return {label: band(found, log=log) for label, found in curves.items() if found}
