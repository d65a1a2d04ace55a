"""What the tests and the probes of a run gave, and what follows in words."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

COUNTED_FROM = 0.1
"""Part of a run's env steps before which probes do not count: actor and qtDNN have hardly begun to learn by then."""
HEARD, HARDLY_HEARD = 0.3, 0.05
"""Least mean share of the actions' variance that goes with the outputs of a layer that is heard, or hardly heard."""
RIGHT, ROUGH = 0.6, 0.2
"""Least mean cosine with the exact gradient of one that points the right way, or roughly so; below, it is noise."""
SHARE, COSINE = "explained_share", "angle_gradient_cosine"
KEPT = (SHARE, COSINE)
"""Metrics of the probe whose means tell both."""

Means = Mapping[str, float | None]
"""A number for each of `KEPT`; None where no probe could measure it."""


@dataclass(frozen=True)
class TestResult:
    """What one test gave.

    Attributes:
        env_steps: Env steps of training at which it was made.
        returns: Undiscounted return of each episode.
        lengths: Env steps of each episode.
        info: A number for each key of the environment's `info` that is logged; see `qtrl.envs.info_means`.
    """

    __test__ = False  # pytest would take the name for a test class
    env_steps: int
    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    info: Mapping[str, float] = field(default_factory=dict)

    @property
    def return_mean(self) -> float:
        """Mean over episodes."""
        return statistics.fmean(self.returns)

    @property
    def return_std(self) -> float:
        """Population standard deviation over episodes."""
        return statistics.pstdev(self.returns)


class TestHistory:
    """The tests of a run, as far as they are reported.

    Attributes:
        last: The newest test; None before the first.
        best: The one with the highest mean return, of those with as many episodes as the first.
        recent: Env steps and mean return of the newest of these, one for each point in the run, at most ten.
    """

    __test__ = False

    def __init__(self) -> None:
        self.last: TestResult | None = None
        self.best: TestResult | None = None
        self.recent: dict[int, float] = {}

    def add(self, result: TestResult) -> None:
        """Take in a test; one with more episodes, at the end, has more starts and is compared with no other."""
        self.last = result
        self.best = self.best or result
        if len(result.returns) != len(self.best.returns):
            return
        if result.return_mean > self.best.return_mean:
            self.best = result
        self.recent.setdefault(result.env_steps, result.return_mean)
        for env_steps in list(self.recent)[:-10]:
            del self.recent[env_steps]

    @property
    def best_at(self) -> int | None:
        """Env steps at which the test with the highest mean return so far was made; None before the first."""
        return self.best.env_steps if self.best else None

    @property
    def recent_mean(self) -> float:
        """Mean return of the recent tests: less noisy than the last, and not chosen after the fact as the best."""
        return statistics.fmean(self.recent.values())

    def score(self, metric: str) -> float:
        """Return the mean return of the last test or, for `test/best_return`, of the best."""
        result = self.best if metric == "test/best_return" else self.last
        assert result is not None
        return result.return_mean

    def summary(self) -> dict[str, Any]:
        """Return what `summary.json` says of the tests."""
        last, best = self.last, self.best
        if last is None or best is None:
            return {"return_mean": None, "return_std": None, "return_per_episode": []}
        return {
            "return_mean": last.return_mean,
            "return_std": last.return_std,
            "return_per_episode": list(last.returns),
            "best_return_mean": best.return_mean,
            "best_env_steps": best.env_steps,
            "last_ten_return_mean": self.recent_mean,
            "last_ten_env_steps": list(self.recent),
            **({"info": dict(last.info)} if last.info else {}),
        }

    def status(self) -> str:
        """Describe the newest test for the progress bar."""
        return f"test {self.last.return_mean:.0f}" if self.last else ""

    def result(self) -> str:
        """Describe the last and the best test in one line."""
        last, best = self.last, self.best
        assert last is not None and best is not None
        result = f"test return {last.return_mean:.1f} ± {last.return_std:.1f} over {len(last.returns)} episodes"
        return f"{result}; best {best.return_mean:.1f} at {best.env_steps:,} env steps"

    def state_dict(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        last, best = (vars(result) if result else None for result in (self.last, self.best))
        return {"last": last, "best": best, "recent": dict(self.recent)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        states = (state_dict["last"], state_dict["best"])
        self.last, self.best = (TestResult(**state) if state else None for state in states)
        self.recent = dict(state_dict["recent"])


class ProbeHistory:
    """The probes of a run, as far as they are summed up at its end.

    Args:
        total_env_steps: Length of the run, which may be longer when the run goes on: values of all probes are kept.
    """

    def __init__(self, total_env_steps: int) -> None:
        self._first = COUNTED_FROM * total_env_steps
        self._values: dict[str, dict[str, dict[int, float]]] = {}

    def add(self, env_steps: int, layer: str, metrics: Mapping[str, float]) -> None:
        """Take in what a probe could measure of a layer, given by its dotted name."""
        values = self._values.setdefault(layer, {metric: {} for metric in KEPT})
        for metric in KEPT:
            if metric in metrics:
                values[metric][env_steps] = metrics[metric]

    def means(self) -> dict[str, Means]:
        """Return the means over the probes that count, for each layer by its dotted name."""
        return {
            layer: {metric: self._mean(measured) for metric, measured in values.items()}
            for layer, values in self._values.items()
        }

    def _mean(self, measured: Mapping[int, float]) -> float | None:
        counted = [value for env_steps, value in measured.items() if env_steps >= self._first]
        return statistics.fmean(counted) if counted else None

    def lines(self) -> Sequence[str]:
        """Say of each layer in one line whether it was heard and whether its gradient pointed the right way."""
        means = self.means()
        return [
            f"quantum layer{f' {layer}' if len(means) > 1 else ''} {_heard(mean[SHARE])}; {_direction(mean[COSINE])}"
            for layer, mean in means.items()
        ]

    def state_dict(self) -> dict[str, Any]:
        """Return all values as plain data."""
        return {layer: {metric: dict(found) for metric, found in own.items()} for layer, own in self._values.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self._values = {layer: {metric: dict(own[metric]) for metric in KEPT} for layer, own in state_dict.items()}


def _heard(share: float | None) -> str:
    if share is None:
        return "not measured: the actions did not vary"
    heard = "heard" if share >= HEARD else "hardly heard" if share >= HARDLY_HEARD else "not heard"
    return f"{heard}: its outputs explain {share:.2f} of the actions' variance"


def _direction(cosine: float | None) -> str:
    if cosine is None:
        return "no gradient of its angles to compare with the exact one"
    way = "pointed the right way" if cosine >= RIGHT else "pointed roughly the right way" if cosine >= ROUGH else ""
    return f"its gradient {way or 'was noise'}: cosine {cosine:.2f} with the exact one"
