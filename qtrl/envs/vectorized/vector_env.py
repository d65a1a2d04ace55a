"""Many environments behind Gymnasium's interface of vector environments.

Shapes: N environments, O observation, A action.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from qtrl.envs.vectorized.checkpoint_state import pack, unpack
from qtrl.envs.vectorized.env_group import RESULTS
from qtrl.envs.vectorized.episode import Array
from qtrl.envs.vectorized.worker_pool import WorkerPool
from qtrl.errors import EnvError, QtrlError
from qtrl.specs import EnvSpec


class VectorEnv(gym.vector.VectorEnv):
    """N environments, with `step` split into `step_async` and `step_wait`.

    Autoreset is disabled: `step` returns the true last observation of an episode, and `reset` with a `reset_mask`
    begins the next one. No `info` is collected, which alone costs Gymnasium's own vector environments a tenth of the
    time of Humanoid's simulation, but for the numbers that the pool is to keep.

    Args:
        pool: Steps the environments.
        spec: Their sizes.

    Attributes:
        lost: Rows of the last step that are no valid transition, shape (N,): the simulator diverged, the environment
            raised, or a worker was lost. Such a row is truncated, and its observation is the one before the step.
        errors: Exceptions of each environment in the last step and the resets before, shape (N,).
        info: The numbers of `info` of the last step that the pool keeps, shape (N, K), NaN where there is none.
    """

    autoreset_mode = AutoresetMode.DISABLED

    def __init__(self, pool: WorkerPool, spec: EnvSpec) -> None:
        self.num_envs = len(pool.table)
        self.metadata = {"autoreset_mode": self.autoreset_mode}
        self.single_observation_space = gym.spaces.Box(-np.inf, np.inf, (spec.observation_size,), np.float32)
        self.single_action_space = gym.spaces.Box(-1.0, 1.0, (spec.action_size,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.lost: Array = np.zeros(self.num_envs, dtype=np.bool_)
        self.info: Array = np.full(pool.table["info"].shape, np.nan)
        self.errors: Array = np.zeros(self.num_envs, dtype=np.int32)
        self._pool, self._table = pool, pool.table
        self._begun = False  # whether a step has not been returned by `step_wait` yet
        self._running = False  # whether a step is under way in the workers
        self._loaded = False
        self._failure = ""

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Step all environments; see `step_async` and `step_wait`."""
        self.step_async(actions)
        return self.step_wait()

    def step_async(self, actions: Array) -> None:
        """Start a step of all environments; actions have shape (N, A)."""
        self._table["action"] = actions
        self._begun, self._running, self._loaded = True, True, False
        self._pool.begin_step()

    def step_wait(self) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Wait for the step that `step_async` started; return copies, and an empty info.

        Raises:
            EnvError: As `make_env`'s environments, or too many workers were lost.
        """
        self._finish()
        self._begun = False
        observation, reward, terminated, truncated, self.lost = (self._table[name].copy() for name in RESULTS)
        self.errors, self.info = self._table["errors"].copy(), self._table["info"].copy()
        return observation, reward, terminated, truncated, {}

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Begin episodes and return the newest observations of all environments, and an empty info.

        The first call without seed and mask after `load_state_dict` resets nothing: it returns the observations of the
        restored episodes, so that a collector, which begins with a reset, resumes them.

        Args:
            seed: One for each environment; a single one is incremented from row to row.
            options: `reset_mask` of shape (N,) selects the environments; without it all are reset.
        """
        resumes = self._loaded and seed is None and not options
        self._loaded = False
        if not resumes:
            mask = (options or {}).get("reset_mask", np.ones(self.num_envs, dtype=np.bool_))
            seeds = [seed + row for row in range(self.num_envs)] if isinstance(seed, int) else seed
            with self._all_or_failed():
                self._pool.reset([(row, seeds[row] if seeds else None) for row in np.flatnonzero(mask).tolist()])
        return self._table["observation"].copy(), {}

    def state_dict(self) -> dict[str, Any]:
        """Return the state from which every episode can be resumed in its middle: plain data and tensors.

        A step under way is waited for and saved as pending; `step_wait` still returns it.

        Raises:
            EnvError: The environments failed, now or before.
        """
        self._finish()
        return pack(self._table, self._pool.records(), step_given=not self._begun)

    def load_state_dict(self, state: dict[str, Any]) -> Array:
        """Resume all episodes, with their pending step if there was one, from a state of any kind of workers.

        Every episode is replayed, see `Episode`. Where that does not lead to the same observation, bit for bit, a new
        episode begins; a pending step then truncates the old one.

        Returns:
            A mask of shape (N,): the environments that could not be resumed.

        Raises:
            CheckpointError: The state is malformed, or is of another number or kind of environments.
            EnvError: As in `step_wait`.
        """
        self._finish()
        records, given = unpack(state, self._table)
        with self._all_or_failed():
            resumed = self._pool.resume(records, step_given=given)
        self._begun, self._loaded = not given, True
        return ~resumed

    def close_extras(self, **kwargs: Any) -> None:
        """Close the environments and end the workers."""
        self._pool.close()

    def _finish(self) -> None:
        """Wait for the step under way, if any."""
        with self._all_or_failed():
            if self._running:
                self._pool.end_step()
        self._running = False

    @contextmanager
    def _all_or_failed(self) -> Iterator[None]:
        """Refuse all work after a failure in the body, which may have left some environments ahead of others."""
        if self._failure:
            raise EnvError(self._failure)
        try:
            yield
        except BaseException as error:
            words = str(error) if isinstance(error, QtrlError) else f"{type(error).__name__}: {error}".splitlines()[0]
            self._failure = f"the environments cannot go on, they failed before: {words}"
            raise
