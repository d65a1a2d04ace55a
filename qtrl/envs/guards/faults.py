"""Exceptions of an environment's own code: they cost an episode, and too many of them the run."""

import sys
from collections import deque
from typing import Any

import gymnasium as gym

from qtrl.envs.guards.simulator import LOST
from qtrl.errors import EnvFaultError, QtrlError

ERRORS = "qtrl.errors"
"""Key in a step's `info`: exceptions since the step before."""
MOST_ERRORS, WITHIN = 10, 10_000
"""Maximum number of exceptions of one environment within a number of its env steps."""


class FaultGuard(gym.Wrapper):
    """Drop an episode in which `step` raises, and begin an episode anew in which `reset` does.

    Such a step gives the observation before it, reward 0, truncated, and `LOST` in its info, as in `SimulatorGuard`;
    each exception is reported on stderr.

    Args:
        env: An environment.
        env_id: Its name in errors.
        most: Maximum number of exceptions within `WITHIN` env steps.

    Raises:
        EnvFaultError: From `reset` and `step`: there were more.
    """

    def __init__(self, env: gym.Env, env_id: str, *, most: int = MOST_ERRORS) -> None:
        super().__init__(env)
        self.env_id = env_id
        self._most, self._env_steps, self._new = most, 0, 0
        self._raised: deque[int] = deque(maxlen=max(1, most))
        self._last: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment; again with the same arguments after an exception."""
        while True:
            try:
                self._last, info = self.env.reset(seed=seed, options=options)
            except QtrlError:
                raise
            except (Exception, SystemExit) as error:
                self._count("reset", error, "trying again")
            else:
                return self._last, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take one env step."""
        self._env_steps += 1
        try:
            result = self.env.step(action)
        except QtrlError:
            raise
        except (Exception, SystemExit) as error:
            self._count("step", error, "the episode is dropped")
            result = (self._last, 0.0, False, True, {LOST: True})
        self._last, *rest, info = result
        if self._new:
            info, self._new = {**info, ERRORS: self._new}, 0
        return self._last, *rest, info

    def close(self) -> None:
        """Close the environment; what it raises then is only reported."""
        try:
            super().close()
        except (Exception, SystemExit) as error:
            print(f"qtrl: {self.env_id}: close raised {_reason(error)}", file=sys.stderr, flush=True)

    def _count(self, method: str, error: BaseException, consequence: str) -> None:
        """Count an exception and report it, or raise when there were too many."""
        raised = f"{self.env_id}: {method} raised {_reason(error)}"
        if not self._most:
            raise EnvFaultError(f"{raised}, expected it to return") from error
        while self._raised and self._env_steps - self._raised[0] >= WITHIN:
            self._raised.popleft()
        if len(self._raised) == self._most:
            times = f"after {self._most} other exceptions in the last {WITHIN:,} env steps"
            raise EnvFaultError(f"{raised}, {times}; mend the environment") from error
        self._raised.append(self._env_steps)
        self._new += 1
        count = f"{len(self._raised)} of {self._most} exceptions in {WITHIN:,} env steps"
        print(f"qtrl: {raised}; {consequence} ({count})", file=sys.stderr, flush=True)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ").splitlines()[0]
