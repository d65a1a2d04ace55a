"""A trial before a run: does an environment keep its promises, and can as many exist as the run needs?"""

import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import gymnasium as gym
import numpy as np
import psutil

from qtrl.envs.guards.contract import Contract
from qtrl.envs.guards.wrappers import VectorGuard
from qtrl.envs.make import make_env
from qtrl.errors import EnvError

MOST_AT_ONCE = 32
"""Environments that a trial makes at the same time, even if the run has more."""
COLORS = "\x1b[33m", "\x1b[0m", "WARN: "
"""What Gymnasium puts around its warnings."""


def try_out(env_id: str, *, num_envs: int, test_envs: int, memory: int | None = None, **options: Any) -> None:
    """Make as many environments as a run has at the same time, and let one of them take an env step.

    What Gymnasium's checker warns of is reported on stderr.

    Args:
        env_id: Anything that Gymnasium's `make` accepts.
        num_envs: Environments that train.
        test_envs: Environments of a test beside them; 0 where tests are played while no others exist.
        memory: Bytes that all of them may take; None where that is not known.
        options: As of `make_env`.

    Raises:
        EnvError: `reset` or `step` raised, or not so many environments can exist at the same time.
    """
    wanted = num_envs + test_envs
    with ExitStack() as stack:
        with _told_warnings(env_id):
            first = stack.enter_context(make_env(env_id, trial=True, **options))
            _begin(first, steps=1)
        before = _resident()
        for made in range(1, min(wanted, MOST_AT_ONCE)):
            try:
                another = _begin_quietly(stack, env_id, options)
            except EnvError as error:
                raise EnvError(_too_many(env_id, made, num_envs, test_envs, str(error))) from error
            another.check_sizes(first.observation_space.shape[0], first.action_space.shape[0])
            if made == 1:
                _check_memory(env_id, _resident() - before, wanted, memory)


def _begin_quietly(stack: ExitStack, env_id: str, options: Mapping[str, Any]) -> VectorGuard:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it was said of the first one
        env = stack.enter_context(make_env(env_id, trial=True, **options))
        env.reset(seed=0)
    return env


def _begin(env: gym.Env, *, steps: int) -> None:
    env.reset(seed=0)
    for _ in range(steps):
        env.step(np.zeros(env.action_space.shape, np.float32))
    contract: Any = env
    while steps and isinstance(contract, gym.Wrapper):
        if isinstance(contract, Contract) and not contract.takes_seed:
            warnings.warn("reset takes no seed, so starts repeat only if they are drawn from np_random", stacklevel=1)
        contract = contract.env


def _too_many(env_id: str, made: int, num_envs: int, test_envs: int, reason: str) -> str:
    advice = "set callbacks.test_envs=0, so that tests are played on the environment of the training"
    if made < num_envs:
        advice = f"set num_envs to at most {made}, and callbacks.test_envs=0"
    elif made > num_envs:
        advice = f"set callbacks.test_envs to at most {made - num_envs}"
    wanted = f"{num_envs} of num_envs and {test_envs} of callbacks.test_envs"
    return f"{env_id}: only {made} can exist at the same time, the run needs {wanted}: {advice}; {reason}"


def _check_memory(env_id: str, each: int, wanted: int, memory: int | None) -> None:
    if memory is not None and each * (wanted - 1) > memory:
        needed = f"{wanted} environments at the same time need {each * wanted / 1e9:.3g} GB of memory"
        raise EnvError(
            f"{env_id}: {needed}, there are {memory / 1e9:.3g} GB: set callbacks.test_envs or num_envs lower"
        )


def _resident() -> int:
    return psutil.Process().memory_info().rss


@contextmanager
def _told_warnings(env_id: str) -> Iterator[None]:
    """Report warnings of the `with` block on stderr, each once and on one line."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", category=UserWarning)
        yield
    for message in dict.fromkeys(" ".join(str(warning.message).split()) for warning in caught):
        for color in COLORS:
            message = message.replace(color, "")
        print(f"qtrl: {env_id}: {message}", file=sys.stderr, flush=True)
