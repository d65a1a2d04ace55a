"""Names, each written once: the keys of a transition and the metrics of a run."""

OBSERVATION = "observation"
ACTION = "action"
Q_IN = "q_in"
"""Angles that the block received when the action was chosen, shape (B, P)."""
Q_OUT = "q_out"
"""What the block returned for them, shape (B, Q)."""
NEXT_OBSERVATION = ("next", "observation")
REWARD = ("next", "reward")
TERMINATED = ("next", "terminated")
TRUNCATED = ("next", "truncated")
DONE = ("next", "done")

ENV_STEPS = "env_steps"
UPDATES = "updates"

METRICS = (
    ENV_STEPS,
    UPDATES,
    "train/return",
    "train/episode_length",
    "train/episodes",
    "train/q1",
    "train/q2",
    "train/target_q",
    "test/return_mean",
    "test/return_std",
    "test/episode_length",
    "test/best_return",
    "loss/critic",
    "loss/actor",
    "surrogate/bce_before",
    "surrogate/bce_after",
    "quantum/circuits",
    "quantum/shots",
    "time/env",
    "time/policy",
    "time/replay",
    "time/surrogate",
    "time/critic",
    "time/actor",
    "time/test",
    "time/total",
    "time/env_steps_per_second",
    "time/updates_per_second",
)
"""Every metric that a run may log, in the order of the columns of `metrics.csv`; defined in docs/metrics.md."""
