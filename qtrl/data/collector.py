"""Collecting: the policy acts, every environment takes one env step, the rows come out.

Shapes: N environments, O observation, A action.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorWrapper
from tensordict import TensorDict, TensorDictBase
from tensordict.nn import TensorDictModuleBase
from torchrl.collectors import Collector as TorchRLCollector
from torchrl.envs import GymWrapper

from qtrl.data.policy import CollectingPolicy
from qtrl.data.schema import Column
from qtrl.envs import VectorEnv
from qtrl.envs.vectorized.checkpoint_state import check_dict, check_tensor
from qtrl.errors import CheckpointError
from qtrl.keys import ACTION, OBSERVATION

Array = np.ndarray


class Collector(ABC):
    """Collects one env step of N environments at a time.

    Rows have the shape (N,) and TorchRL's keys: `observation`, `action` and what else the policy writes; under `next`
    the `observation`, `reward` and flags. What stands under `next` at the end of an episode is its true last
    observation; the next row has the first one of a new episode as its `observation`.
    """

    num_envs: int
    """N."""
    begun = False
    """Whether a step is under way."""
    discontinued: Array
    """Environments whose episode could not be gone on with from a checkpoint, shape (N,); see `VectorEnv`."""
    lost: Array
    """Rows of the last step that are no transition, shape (N,); see `VectorEnv.lost`."""
    info: Array
    """What the last step said in `info`, shape (N, K); see `VectorEnv.info`."""
    errors: Array
    """Exceptions of each environment in the last step, shape (N,); see `VectorEnv.errors`."""

    @abstractmethod
    def begin(self) -> None:
        """Choose actions with the policy as it is now and let the environments step beside what comes next."""

    @abstractmethod
    def collect(self) -> TensorDict:
        """Make one env step, or end the one under way, and return its rows, whose tensors are never written again."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return where the environments are, and the step under way; plain data and tensors.

        Raises:
            EnvError: The environments failed, also if that was said before.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the environments."""


class InProcessCollector(Collector):
    """TorchRL's collector in this process, around its wrapper of a vector environment.

    Args:
        envs: The environments, seeded; the collector resets them once more, unless there is a state.
        policy: Chooses actions and records what the block received and returned.
        columns: The layout of a row; those that are known before the step are kept of a step under way.
        state: What `state_dict` of another collector returned, to go on from there; with the same random states the
            policy then gives the same rows as that one's, bit for bit.

    Raises:
        CheckpointError: The state is malformed, of other environments or of another policy.
    """

    def __init__(
        self, envs: VectorEnv, policy: CollectingPolicy, columns: Sequence[Column], state: dict[str, Any] | None = None
    ) -> None:
        self.num_envs, self._policy = envs.num_envs, _Chosen(policy)
        self._envs = _TwoHalves(envs)
        keys = (OBSERVATION, *policy.out_keys)
        self._columns = {column.name: column for column in columns if column.key in keys}
        self.discontinued = np.zeros(envs.num_envs, dtype=np.bool_)
        if state is not None:
            self._go_on(state)
        self._frames = iter(
            TorchRLCollector(
                GymWrapper(self._envs),
                self._policy,
                frames_per_batch=envs.num_envs,
                total_frames=-1,
                trust_policy=True,
                track_traj_ids=False,
                use_buffers=False,
                return_same_td=True,  # rows are new tensors without buffers, and need no second copy
                no_cuda_sync=True,
                auto_register_policy_transforms=False,
            )
        )

    def _go_on(self, state: dict[str, Any]) -> None:
        """Bring the environments to where they were, and take a step under way as it was begun."""
        checked = check_dict(state, "collector", ("envs", "step"))
        if checked["envs"] is None and checked["step"] is None:  # another kind of collector, which keeps nothing
            self.discontinued = np.ones(self.num_envs, dtype=np.bool_)
            return
        self.discontinued = self._envs.env.load_state_dict(checked["envs"])
        step = checked["step"]
        self.begun = self._envs.begun = step is not None
        if checked["envs"]["step_given"] is self.begun:
            raise CheckpointError("the checkpoint's collector and its environments disagree about a step under way")
        if self.begun:
            parts = check_dict(step, "collector.step", tuple(self._columns))
            tensors = {
                column.key: check_tensor(parts[name], f"collector.step.{name}", self.num_envs, *column.shape)
                for name, column in self._columns.items()
            }
            self._policy.chosen = TensorDict(tensors, batch_size=[self.num_envs])

    def begin(self) -> None:
        """See `Collector`."""
        rows = TensorDict({OBSERVATION: torch.from_numpy(self._envs.newest)}, batch_size=[self.num_envs])
        self._policy.chosen = self._policy(rows)
        self._envs.begin(rows[ACTION].numpy())
        self.begun = True

    def collect(self) -> TensorDict:
        """See `Collector`."""
        rows: TensorDict = next(self._frames).squeeze(-1)  # time
        self.begun, self._policy.chosen = False, None
        envs = self._envs.env
        self.lost, self.errors, self.info = envs.lost, envs.errors, envs.info
        return rows

    def state_dict(self) -> dict[str, Any]:
        """See `Collector`."""
        chosen = self._policy.chosen
        step = None if chosen is None else {name: chosen[column.key] for name, column in self._columns.items()}
        return {"envs": self._envs.env.state_dict(), "step": step}

    def close(self) -> None:
        """See `Collector`."""
        self._envs.close()


class _Chosen(TensorDictModuleBase):
    """The policy as TorchRL's collector sees it: what was chosen when a step was begun, or else what it chooses now."""

    def __init__(self, policy: CollectingPolicy) -> None:
        self.in_keys, self.out_keys = policy.in_keys, policy.out_keys
        super().__init__()
        self._policy = policy
        self.chosen: TensorDictBase | None = None

    def forward(self, rows: TensorDictBase) -> TensorDictBase:
        """Write what the policy writes into rows, shape (N,), and the observations that it was chosen for."""
        return self._policy(rows) if self.chosen is None else rows.update(self.chosen)


class _TwoHalves(VectorWrapper):
    """Lets the step of a vector environment begin before TorchRL asks for it."""

    autoreset_mode = AutoresetMode.DISABLED
    env: VectorEnv

    def __init__(self, envs: VectorEnv) -> None:
        super().__init__(envs)
        self.begun = False
        self.newest: Array
        """What the next actions are chosen for, shape (N, O)."""

    def begin(self, actions: Array) -> None:
        """Let the environments step."""
        self.env.step_async(actions)
        self.begun = True

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """End the step under way, or make one."""
        if not self.begun:
            self.begin(actions)
        result = self.env.step_wait()
        self.begun, self.newest = False, result[0]
        return result

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """See `VectorEnv`."""
        self.newest, info = self.env.reset(seed=seed, options=options)
        return self.newest, info
