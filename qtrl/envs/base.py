"""Base of all vector environments: Gymnasium's interface over arrays that workers read and write.

Shapes: N environments, O observation, A action.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from qtrl.envs.checkpoint_state import pack, unpack
from qtrl.envs.env_group import Starts, split_rows
from qtrl.envs.episode import Array, Record
from qtrl.envs.shared_memory import make_arrays
from qtrl.errors import EnvError, QtrlError
from qtrl.specs import EnvSpec


@dataclass(frozen=True)
class WorkerOptions:
    """How workers step the environments.

    Attributes:
        count: Maximum number of threads or processes.
        timeout: Seconds that a step or reset may take before a worker process counts as hung.
        max_restarts: Maximum number of restarts of worker processes within an hour.
    """

    count: int
    timeout: float = 30.0
    max_restarts: int = 3


class VectorEnv(gym.vector.VectorEnv):
    """N environments behind Gymnasium's interface, with `step` split into `step_async` and `step_wait`.

    Autoreset is disabled: `step` returns the true last observation of an episode, and `reset` with a `reset_mask`
    begins the next one. No `info` is collected; that alone costs Gymnasium's own vector environments a tenth of the
    time of Humanoid's simulation.

    Subclasses say where the environments run. All of them give the same numbers.

    Args:
        make: Makes one environment as `make_env` does; pickled for worker processes.
        num_envs: N.
        spec: The environment's sizes.
        workers: How workers step them.
    """

    autoreset_mode = AutoresetMode.DISABLED
    steps_beside = True
    """Whether environments are stepped while this thread does something else."""

    def __init__(self, make: Callable[[], gym.Env], num_envs: int, spec: EnvSpec, workers: WorkerOptions) -> None:
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": self.autoreset_mode}
        self.single_observation_space = gym.spaces.Box(-np.inf, np.inf, (spec.observation_size,), np.float32)
        self.single_action_space = gym.spaces.Box(-1.0, 1.0, (spec.action_size,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.lost: Array = np.zeros(num_envs, dtype=np.bool_)
        """Rows of the last step that are no valid transition, shape (N,): the simulator diverged, or a worker was lost.

        Such a row is truncated, and its observation is the one before the step.
        """
        self._arrays = make_arrays(num_envs, spec.observation_size, spec.action_size, self._allocate)
        self._begun = False  # whether a step has not been returned by `step_wait` yet
        self._running = False  # whether a step is under way in the workers
        self._loaded = False
        self._failure = ""
        self._open(make, split_rows(num_envs, workers.count))

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Step all environments; see `step_async` and `step_wait`."""
        self.step_async(actions)
        return self.step_wait()

    def step_async(self, actions: Array) -> None:
        """Start a step of all environments; actions have shape (N, A)."""
        self._arrays.action[:] = actions
        self._begun, self._running, self._loaded = True, True, False
        self._begin()

    def step_wait(self) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Wait for the step that `step_async` started.

        Returns:
            Observations (N, O), rewards, terminated and truncated (N,) as copies, and an empty info.

        Raises:
            EnvError: As `make_env`'s environments, or too many workers were lost.
        """
        self._finish()
        self._begun = False
        _, observation, reward, terminated, truncated, lost = self._arrays
        self.lost = lost.copy()
        return observation.copy(), reward.copy(), terminated.copy(), truncated.copy(), {}

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Begin episodes.

        The first call without seed and mask after `load_state_dict` resets nothing: it returns the observations of the
        restored episodes, so that a collector, which begins with a reset, resumes them.

        Args:
            seed: One for each environment; a single one is incremented from row to row.
            options: `reset_mask` of shape (N,) selects the environments; without it all are reset.

        Returns:
            The newest observations (N, O) of all environments, and an empty info.
        """
        resumes = self._loaded and seed is None and not options
        self._loaded = False
        if not resumes:
            mask = (options or {}).get("reset_mask", np.ones(self.num_envs, dtype=np.bool_))
            seeds = [seed + row for row in range(self.num_envs)] if isinstance(seed, int) else seed
            with self._all_or_failed():
                self._reset([(row, seeds[row] if seeds else None) for row in np.flatnonzero(mask).tolist()])
        return self._arrays.observation.copy(), {}

    def state_dict(self) -> dict[str, Any]:
        """Return the state from which every episode can be resumed in its middle: plain data and tensors.

        A step under way is waited for and saved as pending; `step_wait` still returns it.

        Raises:
            EnvError: The environments failed, now or before.
        """
        self._finish()
        return pack(self._arrays, self._records(), step_given=not self._begun)

    def load_state_dict(self, state: dict[str, Any]) -> Array:
        """Resume all episodes, with their pending step if there was one.

        Every episode is replayed, see `Episode`. Where that does not lead to the same observation, bit for bit, a new
        episode begins; a pending step then truncates the old one.

        Args:
            state: What `state_dict` returned, from any kind of vector environment.

        Returns:
            A mask of shape (N,): the environments that could not be resumed.

        Raises:
            CheckpointError: The state is malformed, or is of another number or kind of environments.
            EnvError: As in `reset`.
        """
        self._finish()
        records, given = unpack(state, self._arrays)
        with self._all_or_failed():
            resumed = self._resume(records, step_given=given)
        self._begun, self._loaded = not given, True
        return ~np.array(resumed, dtype=np.bool_)

    def _finish(self) -> None:
        """Wait for the step under way, if any."""
        if self._running:
            with self._all_or_failed():
                self._end()
            self._running = False
        elif self._failure:
            raise EnvError(self._failure)

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

    def _allocate(self, size: int) -> Any:
        """Return a zeroed buffer of `size` bytes that all workers can access."""
        return bytearray(size)

    @abstractmethod
    def _open(self, make: Callable[[], gym.Env], parts: list[list[int]]) -> None:
        """Make one group of environments for each part of the rows."""

    @abstractmethod
    def _begin(self) -> None:
        """Start a step of all groups."""

    @abstractmethod
    def _end(self) -> None:
        """Wait until all groups are done; raise the error of any."""

    @abstractmethod
    def _reset(self, starts: Starts) -> None:
        """Reset the given environments."""

    @abstractmethod
    def _records(self) -> list[Record | None]:
        """Return the records of all episodes, by row."""

    @abstractmethod
    def _resume(self, records: list[Record | None], *, step_given: bool) -> list[bool]:
        """Call `EnvGroup.resume` in all groups; return its answers by row."""
