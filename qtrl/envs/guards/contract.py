"""Gymnasium's contract, checked at every call: what means the same is accepted, all else is refused in one line."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from qtrl.envs.guards.spaces import NUMBERS, MisfitError, conform, described
from qtrl.errors import EnvFaultError

STEP = ("observation", "reward", "terminated", "truncated", "info")
RESET = ("observation", "info")
OLD_API = "; this is the interface of Gym before 0.26, for which Gymnasium has `shimmy.GymV21CompatibilityV0`"


class Contract(gym.Wrapper):
    """Turn what an environment gives into what Gymnasium asks for, or refuse it.

    Accepted are rewards and flags as arrays of one element, observations of another dtype or as lists, an info of None,
    and a `reset` without `seed` or `options`; in the first case the generator `np_random` is seeded all the same. It
    stands beneath Gymnasium's own wrappers, which rely on the contract, and again outside a user's.

    Args:
        env: An environment, or what a wrapper made of it.
        env_id: Its name in errors.

    Attributes:
        takes_seed: Whether `reset` takes a seed.

    Raises:
        EnvFaultError: From `reset` and `step`, with the method, what came and what was expected.
    """

    def __init__(self, env: gym.Env, env_id: str) -> None:
        super().__init__(env)
        self.env_id = env_id
        self.takes_seed, self._takes_options = (_takes(env.reset, name) for name in ("seed", "options"))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        arguments: dict[str, Any] = {"options": options} if self._takes_options else {}
        if self.takes_seed:
            arguments["seed"] = seed
        elif seed is not None:
            gym.Env.reset(self.unwrapped, seed=seed)
        observation, info = self._unpacked("reset", self.env.reset(**arguments), RESET)
        return self._observation("reset", observation), self._info("reset", info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take one env step."""
        observation, reward, *flags, info = self._unpacked("step", self.env.step(action), STEP)
        terminated, truncated = (self._flag(name, flag) for name, flag in zip(STEP[2:4], flags, strict=True))
        observation = self._observation("step", observation)
        return observation, self._reward(reward), terminated, truncated, self._info("step", info)

    def _refusal(self, method: str, words: str) -> EnvFaultError:
        return EnvFaultError(f"{self.env_id}: {method} gave {words}")

    def _unpacked(self, method: str, result: Any, names: tuple[str, ...]) -> Any:
        if isinstance(result, tuple | list) and len(result) == len(names):
            return result
        old = method == "reset" or (isinstance(result, tuple | list) and len(result) == 4)
        expected = f"expected {len(names)} values: {', '.join(names)}"
        raise self._refusal(method, f"{described(result)}, {expected}{OLD_API if old else ''}")

    def _observation(self, method: str, observation: Any) -> Any:
        try:
            return conform(self.env.observation_space, observation)
        except MisfitError as error:
            raise self._refusal(method, f"an observation that is not of its space: {error}") from None

    def _reward(self, reward: Any) -> float:
        number = _one_number(reward)
        if number is None:
            raise self._refusal("step", f"the reward {described(reward)}, expected one number")
        return number

    def _flag(self, name: str, flag: Any) -> bool:
        if isinstance(flag, bool):
            return flag
        number = _one_number(flag)
        if number not in (0.0, 1.0):
            raise self._refusal("step", f"{name} as {described(flag)}, expected true or false")
        return bool(number)

    def _info(self, method: str, info: Any) -> dict[str, Any]:
        if info is None:
            return {}
        if not isinstance(info, Mapping):
            raise self._refusal(method, f"{described(info)} for info, expected a dict")
        return dict(info)


def _one_number(value: Any) -> float | None:
    """Return a number, or the one element of an array of them; None for anything else."""
    if isinstance(value, float):
        return float(value)
    try:
        array = np.asarray(value)
    except Exception:  # tensors with gradients or on another device
        return None
    return float(array.reshape(())) if array.size == 1 and array.dtype.kind in NUMBERS else None


def _takes(method: Callable, name: str) -> bool:
    parameters = inspect.signature(method).parameters
    return name in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())
