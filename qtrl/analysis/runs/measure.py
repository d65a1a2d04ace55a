"""What runs are compared by: a score, and where the files of a run hold it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from qtrl.errors import RunFolderError

LONGEST, MOST = 100, 50


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A score that is to be raised. The summary of a run may name its own under `measure`; otherwise it is `RETURN`.

    Attributes:
        name: What the score is called.
        unit: What it is in.
        final: Key of `summary.json` with the score of the final test, which verdicts are about.
        best: Key of `summary.json` with the best score while training.
        curve: Column of `metrics.csv` with the scores while training.
        counts: What `env_steps` counts in these files.
        facts: Keys of `summary.json`, dotted, that are equal in all runs of a study; the first names what is learned.
        settings: Keys of the config, dotted, that are equal in all runs of a study.
        columns: Further columns that `metrics.csv` has.
        starts: Key of `summary.json` with the score of each start of the final test; None where a test has no starts.
        digits: Decimals that are shown.
    """

    name: str
    unit: str
    final: str
    best: str
    curve: str
    counts: str
    facts: tuple[str, ...]
    settings: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    starts: str | None = None
    digits: int = 4

    @property
    def subject(self) -> str:
        """The fact that names what is learned."""
        return last_part(self.facts[0])

    @property
    def tests(self) -> str:
        """What the tests while training are called, in the singular."""
        return self.curve.partition("/")[0]


RETURN = Measure(
    name="return",
    unit="reward",
    final="return_mean",
    best="best_return_mean",
    curve="test/return_mean",
    counts="env steps",
    facts=("env_id", "versions.gymnasium", "versions.mujoco", "observation_size", "action_size"),
    settings=(
        *("env.max_episode_steps", "total_env_steps", "warmup_env_steps", "test_every_env_steps"),
        *("callbacks.test_episodes", "callbacks.test_max_episode_steps"),
    ),
    columns=("train/return",),
    starts="return_per_episode",
    digits=1,
)
"""Of an agent in its environment."""


def last_part(key: str) -> str:
    """Return what a dotted key is called in a report."""
    return key.removesuffix("._target_").rpartition(".")[2]


def measure_of(summary: Mapping[str, Any]) -> Measure:
    """Return what a run's summary, which is untrusted, says that the run is compared by.

    Raises:
        RunFolderError: It is not what `dataclasses.asdict` makes of a measure.
    """
    named = summary.get("measure")
    if named is None:
        return RETURN
    kinds: dict[str, Any] = {field.name: field.type for field in fields(Measure)}
    if not isinstance(named, dict) or named.keys() != kinds.keys():
        raise RunFolderError(f"summary.json: measure is no mapping with the keys {', '.join(kinds)}")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in named.items()}
    for key, value in values.items():
        fits, expected = RULES[kinds[key]]
        if not fits(value):
            raise RunFolderError(f"summary.json: measure.{key} is {value!r:.60}, expected {expected}")
    if not values["facts"]:
        raise RunFolderError("summary.json: measure.facts is empty, expected the key that names what is learned")
    return Measure(**values)


def is_name(value: object) -> bool:
    """Tell whether a value of an untrusted file can stand in a report as a name."""
    return isinstance(value, str) and value.isprintable() and 0 < len(value) <= LONGEST


def is_finite(value: object) -> bool:
    """Tell whether a value of an untrusted file is a number that can be calculated with."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


NAME, FINITE = (is_name, "a name"), (is_finite, "a finite number")
EITHER = (lambda value: is_name(value) or is_finite(value), "a name or a number")
"""What a fact of a task of your own may be."""
FACTS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("env_id", "versions.gymnasium", "versions.mujoco", "dataset", "fingerprint", "git_commit"), NAME),
    **dict.fromkeys(("observation_size", "action_size"), FINITE),
    **dict.fromkeys(("n_inputs", "train_rows", "validation_rows", "test_rows"), FINITE),
}
"""What facts of qtrl's own tasks are, in code and in words."""

RULES: Mapping[Any, tuple[Callable[[Any], bool], str]] = {
    str: NAME,
    str | None: (lambda value: value is None or is_name(value), "a name, or null"),
    int: (lambda value: type(value) is int and 0 <= value <= 9, "an integer from 0 to 9"),
    tuple[str, ...]: (
        lambda value: isinstance(value, tuple) and len(value) <= MOST and all(map(is_name, value)),
        f"at most {MOST} names",
    ),
}
"""What a summary may hold for attributes of each type, in code and in words."""
