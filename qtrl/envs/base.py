"""What all vector environments share: Gymnasium's interface over rows that lanes of environments read and write.

Shapes: N environments, O observation, A action.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from qtrl.envs.episode import Array, Record
from qtrl.envs.lanes import Starts, Workers, make_columns, split_rows
from qtrl.envs.state import pack, unpack
from qtrl.errors import EnvError, QtrlError
from qtrl.specs import EnvSpec


class VectorEnv(gym.vector.VectorEnv):
    """Gymnasium's interface to N environments, and the two halves of its `step`.

    Nothing is reset by itself: `step` gives the true last observation of an episode, and `reset` with a `reset_mask`
    the first one of the next. No `info` is collected: that alone would take Gymnasium's own vector environments a tenth
    of the time of Humanoid's simulation.

    Leaves say where the environments run. All of them give the same numbers.

    Args:
        make: Makes one environment as `make_env` does; leaves whose workers are processes pickle it.
        num_envs: N.
        spec: The environment's sizes.
        workers: What steps them.
    """

    autoreset_mode = AutoresetMode.DISABLED
    steps_beside = True
    """Whether environments step while this thread does something else."""

    def __init__(self, make: Callable[[], gym.Env], num_envs: int, spec: EnvSpec, workers: Workers) -> None:
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": self.autoreset_mode}
        self.single_observation_space = gym.spaces.Box(-np.inf, np.inf, (spec.observation_size,), np.float32)
        self.single_action_space = gym.spaces.Box(-1.0, 1.0, (spec.action_size,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.lost: Array = np.zeros(num_envs, dtype=np.bool_)
        """Rows of the last step that are no transition, shape (N,): the simulation reset itself, or a worker was lost.

        Such a row is truncated, and its observation is the one before the step.
        """
        self._columns = make_columns(num_envs, spec.observation_size, spec.action_size, self._allocate)
        self._begun = False  # a step that `step_wait` has not returned
        self._running = False  # a step that has not been waited for
        self._loaded = False
        self._failure = ""
        self._open(make, split_rows(num_envs, workers.count))

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Take one env step everywhere; see `step_async` and `step_wait`."""
        self.step_async(actions)
        return self.step_wait()

    def step_async(self, actions: Array) -> None:
        """Begin to take one env step everywhere; actions have shape (N, A)."""
        self._columns.action[:] = actions
        self._begun, self._running, self._loaded = True, True, False
        self._begin()

    def step_wait(self) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Wait for the step that `step_async` began.

        Returns:
            Observations (N, O), rewards, terminated and truncated (N,), no info; the arrays are the caller's.

        Raises:
            EnvError: As `make_env`'s environments, or workers were lost again and again.
        """
        self._finish()
        self._begun = False
        _, observation, reward, terminated, truncated, lost = self._columns
        self.lost = lost.copy()
        return observation.copy(), reward.copy(), terminated.copy(), truncated.copy(), {}

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Begin episodes.

        After `load_state_dict` the first call without seed and mask begins none: it returns the observations at which
        the loaded episodes go on, so that whoever begins by a reset goes on as well.

        Args:
            seed: One for each environment; a single one counts up.
            options: `reset_mask` of shape (N,) chooses the environments; without it all are reset.

        Returns:
            The newest observations (N, O) of all environments, and no info.
        """
        goes_on = self._loaded and seed is None and not options
        self._loaded = False
        if not goes_on:
            mask = (options or {}).get("reset_mask", np.ones(self.num_envs, dtype=np.bool_))
            seeds = [seed + row for row in range(self.num_envs)] if isinstance(seed, int) else seed
            with self._all_or_failed():
                self._reset([(row, seeds[row] if seeds else None) for row in np.flatnonzero(mask).tolist()])
        return self._columns.observation.copy(), {}

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs to go on in the middle of every episode: plain data and tensors.

        A step under way is waited for and saved as made but not yet given to anybody; `step_wait` still returns it.

        Raises:
            EnvError: The environments failed, also if that was said before.
        """
        self._finish()
        return pack(self._columns, self._records(), step_given=not self._begun)

    def load_state_dict(self, state: dict[str, Any]) -> Array:
        """Go on where other environments were, and with the step that they had made but not given, if any.

        Every episode is played again, see `Episode`. Where that does not lead to the same observation, bit for bit, a
        new episode begins; under a step that is still to be given, the episode is truncated by it.

        Args:
            state: What `state_dict` returned, of any kind of vector environment.

        Returns:
            A mask of shape (N,): the environments that could not go on.

        Raises:
            CheckpointError: The state is malformed, or of another number or kind of environments.
            EnvError: As in `reset`.
        """
        self._finish()
        records, given = unpack(state, self._columns)
        with self._all_or_failed():
            went_on = self._resume(records, step_given=given)
        self._begun, self._loaded = not given, True
        return ~np.array(went_on, dtype=np.bool_)

    def _finish(self) -> None:
        """Wait for the step under way, if there is one."""
        if self._running:
            with self._all_or_failed():
                self._end()
            self._running = False
        elif self._failure:
            raise EnvError(self._failure)

    @contextmanager
    def _all_or_failed(self) -> Iterator[None]:
        """Remember that something was done in some environments and not in others, which nothing can go on from."""
        if self._failure:
            raise EnvError(self._failure)
        try:
            yield
        except BaseException as error:
            words = str(error) if isinstance(error, QtrlError) else f"{type(error).__name__}: {error}".splitlines()[0]
            self._failure = f"the environments cannot go on, they failed before: {words}"
            raise

    def _allocate(self, size: int) -> Any:
        """Give a zeroed buffer of `size` bytes that all workers share."""
        return bytearray(size)

    @abstractmethod
    def _open(self, make: Callable[[], gym.Env], parts: list[list[int]]) -> None:
        """Make one lane for each part of the rows."""

    @abstractmethod
    def _begin(self) -> None:
        """Begin to step all lanes."""

    @abstractmethod
    def _end(self) -> None:
        """Wait until all lanes are done, and raise what went wrong in them."""

    @abstractmethod
    def _reset(self, starts: Starts) -> None:
        """Begin episodes."""

    @abstractmethod
    def _records(self) -> list[Record | None]:
        """Return the episodes so far, row by row."""

    @abstractmethod
    def _resume(self, records: list[Record | None], *, step_given: bool) -> list[bool]:
        """Do in all lanes what `Lane.resume` says, and return its answers row by row."""
