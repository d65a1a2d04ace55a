"""Factory of one environment with flat float32 observations and actions in [-1, 1]."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import gymnasium as gym
from gymnasium.wrappers import FlattenObservation, PassiveEnvChecker

from qtrl.envs.guards.contract import Contract
from qtrl.envs.guards.faults import MOST_ERRORS, FaultGuard
from qtrl.envs.guards.simulator import guard_simulator
from qtrl.envs.guards.spaces import check_action_space, check_observation_space, observation_parts
from qtrl.envs.guards.wrappers import VectorGuard
from qtrl.envs.render import check_renderer, follow_body, pick_renderer
from qtrl.errors import ConfigError, EnvError, QtrlError
from qtrl.specs import EnvSpec

Wrap = Callable[[gym.Env], gym.Env]
CAMERA = ("camera_id", "camera_name", "default_camera_config")
"""Arguments of MuJoCo's environments that say where a video is taken from; without, the camera follows the body."""
QUIET = {".*is out of date": DeprecationWarning, ".*maximum and minimum values are equal": UserWarning}
"""Warnings about the user's choice: the paper's Humanoid is v4, and an action may have an entry that is fixed."""


def make_env(
    env_id: str,
    *,
    max_episode_steps: int | None = None,
    kwargs: Mapping[str, Any] | None = None,
    wrappers: Sequence[Wrap] = (),
    render: bool = False,
    trial: bool = False,
) -> VectorGuard:
    """Make one environment.

    Its observation is flattened to a float32 vector; its action is a flat float32 vector in [-1, 1], clamped and
    rescaled to the environment's bounds. What does not keep Gymnasium's contract is refused, see `Contract`, and so are
    non-finite actions, observations and rewards. An exception in a step truncates the episode, see `FaultGuard`, and so
    does a step in which MuJoCo reset an unstable simulation, see `SimulatorGuard`.

    Args:
        env_id: Anything that Gymnasium's `make` accepts, `module:Id-v0` included; the module is imported.
        max_episode_steps: Time limit in env steps in place of the environment's own.
        kwargs: Arguments of the environment's constructor.
        wrappers: Called in their order, each with what the one before made; they see the environment's own spaces.
        render: Whether frames will be rendered.
        trial: Whether the first exception is raised, and Gymnasium's own checker looks at the first calls and warns.

    Raises:
        ConfigError: `max_episode_steps` is below 1.
        EnvError: The id is unknown, a package is missing, a wrapper fails, or a space is unsupported.
        RenderError: `MUJOCO_GL` asks for a library that is not installed.
    """
    if max_episode_steps is not None and max_episode_steps < 1:
        raise ConfigError(f"max_episode_steps is {max_episode_steps}, expected at least 1 env step")
    if render:
        pick_renderer()
    rendering = {"render_mode": "rgb_array"} if render else {}
    env = _make_raw(env_id, max_episode_steps, {**(kwargs or {}), **rendering}, warn=trial)
    try:
        if render and not {*CAMERA} & {*(kwargs or {})}:
            follow_body(env)
        env = _with_contract(env, env_id, checked=trial)
        for wrap in wrappers:
            env = Contract(_wrapped(env, wrap, env_id), env_id)
        check_action_space(env.action_space, env_id)
        check_observation_space(env.observation_space, env_id)
        parts = tuple(observation_parts(env.observation_space))
        env = _flatten_observation(guard_simulator(env, env_id))
        return VectorGuard(FaultGuard(env, env_id, most=0 if trial else MOST_ERRORS), env_id, parts)
    except QtrlError:
        with suppress(Exception, SystemExit):  # what it raises now would hide the error
            env.close()
        raise


def env_spec(env_id: str, **options: Any) -> EnvSpec:
    """Return the sizes and the time limit of an environment; options and errors as in `make_env`."""
    with make_env(env_id, **options) as env:
        sizes = env.observation_space.shape[0], env.action_space.shape[0]
        return EnvSpec(
            env_id, *sizes, max_episode_steps=getattr(env.spec, "max_episode_steps", None), observation_parts=env.parts
        )


def _make_raw(env_id: str, max_episode_steps: int | None, kwargs: Mapping[str, Any], *, warn: bool) -> gym.Env:
    try:
        with warnings.catch_warnings():
            if not warn:  # of one environment in a trial is enough
                warnings.filterwarnings("ignore", category=UserWarning, module=r"gymnasium\.")
            for message, category in QUIET.items():
                warnings.filterwarnings("ignore", message=message, category=category)
            return gym.make(env_id, max_episode_steps=max_episode_steps, disable_env_checker=False, **kwargs)
    except (Exception, SystemExit) as error:
        check_renderer()  # with a bad MUJOCO_GL `import mujoco` fails, with an unclear message
        raise EnvError(f"environment {env_id!r} cannot be made: {_reason(error)}") from error


def _with_contract(env: gym.Env, env_id: str, *, checked: bool) -> gym.Env:
    """Put the contract in the place of Gymnasium's checker, which looks at first calls alone, or else beneath it.

    The checker is what `gym.make` puts right around the environment, and has looked at its spaces there.
    """
    outer, checker = None, env
    while not isinstance(checker, PassiveEnvChecker):
        outer, checker = checker, checker.env
    contract = Contract(checker.env, env_id)
    if checked:
        checker.env = contract
    elif outer is None:
        return contract
    else:
        outer.env = contract
    return env


def _wrapped(env: gym.Env, wrap: Wrap, env_id: str) -> gym.Env:
    name = getattr(getattr(wrap, "func", wrap), "__name__", repr(wrap))
    try:
        wrapped = wrap(env)
    except Exception as error:
        raise EnvError(f"{env_id}: the wrapper {name} of env.wrappers failed: {_reason(error)}") from error
    if not isinstance(wrapped, gym.Env):
        came = type(wrapped).__name__
        raise EnvError(f"{env_id}: the wrapper {name} of env.wrappers gave a {came}, expected an environment")
    return wrapped


def _flatten_observation(env: gym.Env) -> gym.Env:
    space = env.observation_space
    return env if isinstance(space, gym.spaces.Box) and len(space.shape) == 1 else FlattenObservation(env)


def _reason(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
