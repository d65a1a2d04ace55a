"""Names, each written once: the keys of a transition, the metrics of a run; and what labels and levels may be."""

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, TypeGuard

OBSERVATION = "observation"
ACTION = "action"
Q_IN = "q_in"
"""Angles that the block received when the action was chosen, shape (B, P)."""
Q_OUT = "q_out"
"""What the block returned for them, shape (B, Q)."""
Key = str | tuple[str, ...]
"""A key of a TensorDict."""

NEXT_OBSERVATION = ("next", "observation")
REWARD = ("next", "reward")
TERMINATED = ("next", "terminated")
TRUNCATED = ("next", "truncated")
DONE = ("next", "done")
LOST = ("next", "lost")
"""Whether a row is no transition: the simulation reset itself, the environment raised, or a worker was lost."""

ERRORS = ("next", "errors")
"""Exceptions that an environment raised in a row's step; never stored."""

INFO = ("next", "info")
"""Numbers of `info` that are logged, shape (N, K); never stored."""

EPISODE = "episode"
"""Number of a row's episode, counted on each rank; stored where slices of episodes are sampled."""
STEP = "step"
"""Number of a row within its episode; stored like EPISODE."""
DISCOUNT = "gamma"
"""What the next value is multiplied with, stored where rows span several steps; the name is TorchRL's."""
PRIORITY_WEIGHT = "priority_weight"
"""Importance weight of a row that a prioritized sampler drew; the name is TorchRL's."""

ENV_STEPS = "env_steps"
UPDATES = "updates"

LABEL = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._+-]{0,63}")
"""Labels that can stand in names of folders, tables and legends as they are; matched in full."""
LABEL_RULE = "up to 64 letters, digits and ._+- with no dot or plus at the start"

INFO_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
"""Keys of an environment's `info` that can be metrics; matched in full."""

LEVELS_RULE = "up to 20 numbers in rising order, as in [1000,5000]"


def are_levels(value: Any) -> TypeGuard[list[float]]:
    """Tell whether a value is a list of returns that tests may reach: see `LEVELS_RULE`."""
    return (
        isinstance(value, list)
        and len(value) <= 20
        and all(isinstance(level, int | float) and not isinstance(level, bool) for level in value)
        and all(abs(level) < 1e12 for level in value)
        and all(lower < higher for lower, higher in pairwise(value))
    )


PURPOSES = ("collect", "fit", "target", "actor", "probe", "test")
"""What circuits are run for."""

SECTIONS = ("env", "policy", "replay", "surrogate", "critic", "actor", "test", "probe", "save")
"""Sections of the stopwatch that are reported."""

METRICS = (
    *(ENV_STEPS, UPDATES),
    *("train/return", "train/episode_length", "train/episodes", "train/lost_steps", "train/env_errors"),
    *("train/q_out_entropy", "train/q1", "train/q2", "train/target_q", "train/q_over_bound"),
    "train/saturated_share",
    *("test/return_mean", "test/return_std", "test/episode_length"),
    *("test/best_return", "test/last_ten_return", "test/gap"),
    *("loss/critic", "loss/actor"),
    *("gradient/critic", "gradient/actor", "gradient/surrogate"),
    *("surrogate/bce_before", "surrogate/bce_after"),
    *("probe/bce", "probe/bce_floor", "probe/bce_excess"),
    *("probe/calibration_error", "probe/calibration_error_worst"),
    *("probe/gradient_cosine", "probe/gradient_ratio"),
    *("probe/angle_gradient_cosine", "probe/angle_gradient_ratio"),
    *("probe/expectation_mean", "probe/expectation_std"),
    *("probe/state_entropy", "probe/total_correlation"),
    *("probe/jacobian_cosine", "probe/jacobian_norm"),
    *("probe/angle_displacement", "probe/signal_to_shot_noise"),
    *("probe/explained_share", "probe/shuffle_change"),
    *("quantum/circuits", *(f"quantum/circuits/{purpose}" for purpose in PURPOSES)),
    *("quantum/shots", *(f"quantum/shots/{purpose}" for purpose in PURPOSES)),
    *("quantum/seconds", *(f"quantum/seconds/{purpose}" for purpose in PURPOSES)),
    "quantum/parameter_shift_circuits",
    *(*(f"time/{section}" for section in SECTIONS), "time/total"),
    *("time/env_steps_per_second", "time/updates_per_second"),
)
"""Every metric that a run may log, in the order of the columns of `metrics.csv`; defined in docs/metrics.md."""
RETURN_SCORES = ("test/return_mean", "test/best_return")
"""What `optimized_metric` may be in reinforcement learning."""

EXAMPLE_PURPOSES = ("explore", "model", "test")
"""What circuits are run for in supervised learning: forward exploration, the classical update, tests."""
EXAMPLE_SECTIONS = ("explore", "surrogate", "model", "test", "save")
"""Sections of the stopwatch in supervised learning."""
SCORES = {
    "classification": ("loss", "accuracy", "calibration_error"),
    "regression": ("loss", "r2", "rmse"),
}
"""What is measured on the rows of a part, by the kind of the table; the second one is to be raised."""
EXAMPLE_SCORES = tuple(f"{part}/{names[1]}" for names in SCORES.values() for part in ("test", "validation"))
"""What `optimized_metric` may be in supervised learning."""


def example_metrics(kind: str) -> tuple[str, ...]:
    """Name the metrics of a supervised run on a table of this kind, in the order of the columns of `metrics.csv`."""
    return (
        *(ENV_STEPS, UPDATES, "train/epoch", "train/loss"),
        *(f"{part}/{score}" for part in ("validation", "test") for score in SCORES[kind]),
        *("gradient/model", "gradient/surrogate", "surrogate/bce_before", "surrogate/bce_after"),
        *(
            name
            for unit in ("circuits", "shots", "seconds")
            for name in (f"quantum/{unit}", *(f"quantum/{unit}/{purpose}" for purpose in EXAMPLE_PURPOSES))
        ),
        *("quantum/parameter_shift_circuits", *(f"time/{section}" for section in EXAMPLE_SECTIONS), "time/total"),
        *("time/env_steps_per_second", "time/updates_per_second"),
    )


def key_name(key: Key) -> str:
    """Return a key as one word, for file names and plain dictionaries."""
    return key if isinstance(key, str) else ".".join(key)


def layer_labels(layers: Iterable[str]) -> dict[str, str]:
    """Return what stands in keys and metrics for each quantum layer of a model, given by its dotted name.

    That is nothing for the only one, and the name with underscores for dots for each of several.
    """
    names = list(layers)
    return {name: name.replace(".", "_") if len(names) > 1 else "" for name in names}


def pair_keys(layers: Iterable[str]) -> dict[str, tuple[Key, Key]]:
    """Return the keys of q_in and q_out in a transition, for each quantum layer of a model by its dotted name."""
    return {
        name: ((Q_IN, label), (Q_OUT, label)) if label else (Q_IN, Q_OUT)
        for name, label in layer_labels(layers).items()
    }


def info_metrics(names: Iterable[str]) -> tuple[str, ...]:
    """Name the metrics that a run has of these keys of `info`, in training and in tests."""
    return tuple(f"{kind}/info/{name}" for name in names for kind in ("train", "test"))


def probe_metrics(n_qubits: Mapping[str, int]) -> tuple[str, ...]:
    """Name the metrics of the probe that a run has beside `METRICS`, whose columns follow.

    Args:
        n_qubits: Qubits of each quantum layer that is probed, by its dotted name.
    """
    labels = layer_labels(n_qubits)
    names = []
    for layer, qubits in n_qubits.items():
        prefix = f"probe/{labels[layer]}/" if labels[layer] else "probe/"
        names += [prefix + name[6:] for name in METRICS if name.startswith("probe/") and labels[layer]]
        for metric in ("calibration_error", "jacobian_cosine"):
            names += [f"{prefix}{metric}/q{qubit}" for qubit in range(qubits)]
    return tuple(names)
