"""One environment, and the record from which its episode can be resumed in another process."""

from collections import deque
from contextlib import suppress
from typing import Any

import gymnasium as gym
import numpy as np

from qtrl.envs.guards.wrappers import Array

Record = dict[str, Any]
"""An episode so far: the state of the `generator` and the `seed` before its reset, all `actions`, float32 of shape
(T, A), and the state of the generator after them (`generator_after`)."""
MOST_ACTIONS = 100_000
"""Maximum length of an episode that can be resumed."""


class Episode:
    """One environment, with a record of its episode that allows an exact replay.

    The simulator's state is not saved but reproduced, from the state of the random generator before the episode, the
    reset and the actions since. This is exact for every environment that is a function of generator and actions,
    MuJoCo's among them, whose saved and restored state would not give the same rewards.

    Args:
        env: An environment with flat float32 actions.
    """

    def __init__(self, env: gym.Env) -> None:
        self._env = env
        self._generator: dict[str, Any] | None = None
        self._seed: int | None = None
        self._actions: deque[bytes] = deque(maxlen=MOST_ACTIONS + 1)
        self.info: dict[str, Any] = {}
        """What the environment said with its last step."""

    def reset(self, seed: int | None = None) -> Array:
        """Begin an episode and return its observation."""
        self._generator, self._seed = self._generator_state(), seed
        self._actions.clear()
        return self._env.reset(seed=seed)[0]

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Take one env step, as the environment does; the action is float32 of shape (A,)."""
        self._actions.append(action.tobytes())
        result = self._env.step(action)
        self.info = result[4]
        return result

    def record(self) -> Record | None:
        """Return the episode so far, or None where it cannot be resumed.

        That is so before the first reset, after more than `MOST_ACTIONS` actions, and where `np_random` is not a NumPy
        Generator with a state of a few integers, such as Gymnasium's PCG64.
        """
        after = self._generator_state()
        if self._generator is None or after is None or len(self._actions) > MOST_ACTIONS:
            return None
        actions = np.frombuffer(bytearray().join(self._actions), np.float32)
        actions = actions.reshape(len(self._actions), self._env.action_space.shape[0])
        return {"generator": self._generator, "seed": self._seed, "actions": actions, "generator_after": after}

    def resume(self, record: Record, newest: tuple[Array, float, bool, bool]) -> bool:
        """Replay a recorded episode and return whether it ended with the same results, bit for bit.

        If not, the next episode is still the one that the recorded environment would have begun next, as far as the
        generator decides.

        Args:
            record: What `record` returned, from any copy of the environment.
            newest: Observation, reward, terminated and truncated of its last step; of a reset only the observation is
                compared.
        """
        try:
            self._set_generator(record["generator"])
            same = self._replays(record, newest) and self._generator_state() == record["generator_after"]
        except Exception:  # anything that a changed environment, or another version of it, raises for these actions
            same = False
        if not same:
            self._generator = None  # the replayed episode is not one of this run
            with suppress(AttributeError, TypeError, ValueError):  # a generator of another kind
                self._set_generator(record["generator_after"])
        return same

    def close(self) -> None:
        """Close the environment."""
        self._env.close()

    def _replays(self, record: Record, newest: tuple[Array, float, bool, bool]) -> bool:
        results = (self.reset(record["seed"]), *newest[1:])
        for number, action in enumerate(record["actions"]):
            if number and (results[2] or results[3]):  # ended too early
                return False
            results = self.step(action)[:4]
        return results[0].tobytes() == newest[0].tobytes() and results[1:] == newest[1:]

    def _generator_state(self) -> dict[str, Any] | None:
        state = getattr(getattr(getattr(self._env.unwrapped, "np_random", None), "bit_generator", None), "state", None)
        return state if _is_plain(state) else None

    def _set_generator(self, state: dict[str, Any]) -> None:
        self._env.unwrapped.np_random.bit_generator.state = state


def _is_plain(state: Any) -> bool:
    """Tell whether a generator's state consists of integers and strings alone."""
    return isinstance(state, dict) and all(isinstance(value, int | str) or _is_plain(value) for value in state.values())
