"""Factory of one environment with flat float32 observations and actions in [-1, 1]."""

import warnings

import gymnasium as gym

from qtrl.envs.render import check_renderer, pick_renderer
from qtrl.envs.simulator import guard_simulator
from qtrl.envs.wrappers import VectorGuard
from qtrl.errors import ConfigError, EnvError
from qtrl.specs import EnvSpec


def make_env(env_id: str, *, max_episode_steps: int | None = None, render: bool = False) -> gym.Env:
    """Make one environment.

    Its observation is flattened to a float32 vector; its action is a flat float32 vector in [-1, 1], clamped and
    rescaled to the environment's bounds. Non-finite actions, observations and rewards are refused, and a step in which
    MuJoCo reset an unstable simulation truncates the episode, see `SimulatorGuard`.

    Args:
        env_id: Anything that Gymnasium's `make` accepts, `module:Id-v0` included; the module is imported.
        max_episode_steps: Time limit in env steps in place of the environment's own.
        render: Whether frames will be rendered.

    Raises:
        ConfigError: `max_episode_steps` is below 1.
        EnvError: The id is unknown, a package is missing, or a space is unsupported.
        RenderError: `MUJOCO_GL` asks for a library that is not installed.
    """
    if max_episode_steps is not None and max_episode_steps < 1:
        raise ConfigError(f"max_episode_steps is {max_episode_steps}, expected at least 1 env step")
    if render:
        pick_renderer()
    env = _make_raw(env_id, max_episode_steps, render)
    try:
        return VectorGuard(_flatten_observation(env_id, guard_simulator(env, env_id)), env_id)
    except EnvError:
        env.close()
        raise


def env_spec(env_id: str, *, max_episode_steps: int | None = None) -> EnvSpec:
    """Return the sizes and the time limit of an environment; arguments and errors as in `make_env`."""
    with make_env(env_id, max_episode_steps=max_episode_steps) as env:
        sizes = env.observation_space.shape[0], env.action_space.shape[0]
        return EnvSpec(env_id, *sizes, max_episode_steps=env.spec.max_episode_steps)


def _make_raw(env_id: str, max_episode_steps: int | None, render: bool) -> gym.Env:
    options = {"render_mode": "rgb_array"} if render else {}
    try:
        with warnings.catch_warnings():
            # The version is the user's choice, and the paper's Humanoid is v4.
            warnings.filterwarnings("ignore", message=".*is out of date", category=DeprecationWarning)
            return gym.make(env_id, max_episode_steps=max_episode_steps, disable_env_checker=True, **options)
    except Exception as error:
        check_renderer()  # with a bad MUJOCO_GL `import mujoco` fails, with an unclear message
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise EnvError(f"environment {env_id!r} cannot be made: {reason}") from error


def _flatten_observation(env_id: str, env: gym.Env) -> gym.Env:
    space = env.observation_space
    if isinstance(space, gym.spaces.Box) and len(space.shape) == 1:
        return env
    if not space.is_np_flattenable:
        raise EnvError(f"{env_id}: the observation space is {type(space).__name__}, qtrl needs one of fixed length")
    return gym.wrappers.FlattenObservation(env)
