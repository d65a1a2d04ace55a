"""Collecting: the policy acts, every environment takes one env step, the rows come out.

Shapes: N environments, O observation, A action.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
from tensordict import TensorDict
from torch import Tensor

from qtrl.data.policy import CollectingPolicy
from qtrl.envs import VectorEnv
from qtrl.envs.checkpoint_state import check_dict, check_tensor
from qtrl.errors import CheckpointError, ConfigError
from qtrl.keys import ACTION, DONE, NEXT_OBSERVATION, OBSERVATION, REWARD, TERMINATED, TRUNCATED, Key, key_name


class Collector(ABC):
    """One env step of all environments at a time, in two halves.

    All members give the same rows, shape (N,), with TorchRL's keys: `observation`, `action`, `q_in` and `q_out`, under
    `next` the `observation`, `reward` and flags. What stands under `next` at the end of an episode is its true last
    observation; the next row has the first one of a new episode as its `observation`.

    Args:
        envs: The environments, seeded; the collector resets them once more, unless there is a state.
        policy: Chooses actions and records q_in and q_out.
        state: What `state_dict` of another collector returned, to go on from there; with the same random states the
            policy then gives the same rows as that one's, bit for bit.

    Raises:
        CheckpointError: The state is malformed, of other environments or of another policy.
    """

    can_overlap: ClassVar[bool]
    """Whether the environments step between `begin` and `end`."""

    def __init__(self, envs: VectorEnv, policy: CollectingPolicy, state: dict[str, Any] | None = None) -> None:
        self.envs, self.policy = envs, policy
        self.begun = False
        """Whether a step is under way."""
        self.discontinued: np.ndarray = np.zeros(envs.num_envs, dtype=np.bool_)
        """Environments whose episode could not be gone on with from `state`, shape (N,); see `VectorEnv`."""
        step = None
        if state is not None:
            checked = check_dict(state, "collector", ("envs", "step"))
            self.discontinued = envs.load_state_dict(checked["envs"])
            step = checked["step"]
            if checked["envs"]["step_given"] is not (step is None):
                raise CheckpointError("the checkpoint's collector and its environments disagree about a step under way")
        self._start(step)
        self.begun = step is not None

    @property
    def lost(self) -> np.ndarray:
        """Rows of the last step that are no transition, shape (N,); see `VectorEnv.lost`."""
        return self.envs.lost

    def state_dict(self) -> dict[str, Any]:
        """Return where the environments are, and the step under way; plain data and tensors.

        Raises:
            EnvError: The environments failed, also if that was said before.
        """
        return {"envs": self.envs.state_dict(), "step": self._step_state() if self.begun else None}

    def begin(self) -> None:
        """Choose actions with the policy as it is now, and let the environments step."""
        self._begin()
        self.begun = True

    def end(self) -> TensorDict:
        """Wait for the step, and return its rows, shape (N,); their tensors are never written again."""
        rows = self._end()
        self.begun = False
        return rows

    def _step_state(self) -> dict[str, Tensor]:
        """Return what is kept of a step under way."""
        return {}

    @abstractmethod
    def _start(self, step: dict[str, Tensor] | None) -> None:
        """Begin with the environments' newest observations, or with a step under way that another one had begun."""

    @abstractmethod
    def _begin(self) -> None:
        """Do what `begin` says."""

    @abstractmethod
    def _end(self) -> TensorDict:
        """Do what `end` says."""


class DirectCollector(Collector):
    """Steps the environments itself, without the half millisecond of TorchRL's bookkeeping around each step."""

    can_overlap = True

    def _start(self, step: dict[str, Tensor] | None) -> None:
        self._observation = torch.from_numpy(self.envs.reset()[0])  # (N, O)
        never = torch.zeros(self.envs.num_envs, 1, dtype=torch.bool)
        self._ended_before = dict.fromkeys(("done", "terminated", "truncated"), never)
        self._chosen: dict[Key, Tensor]
        """Actions and pairs of a step under way."""
        if step is not None:
            self._chosen = self._checked(step)
            self._observation = self._chosen.pop(OBSERVATION)

    def _checked(self, step: object) -> dict[Key, Tensor]:
        """Return the observation, action and pairs of a step, if they fit."""
        envs, keys = self.envs, (OBSERVATION, *self.policy.out_keys)
        sizes = ((layer.block.n_in, layer.block.n_out) for layer in self.policy.layers.values())
        widths = (
            *envs.single_observation_space.shape,
            *envs.single_action_space.shape,
            *(size for pair in sizes for size in pair),
        )
        parts = check_dict(step, "collector.step", [key_name(key) for key in keys])
        return {
            key: check_tensor(parts[key_name(key)], f"collector.step.{key_name(key)}", envs.num_envs, width)
            for key, width in zip(keys, widths, strict=True)
        }

    def _step_state(self) -> dict[str, Tensor]:
        return {key_name(key): value for key, value in ({OBSERVATION: self._observation} | self._chosen).items()}

    def _begin(self) -> None:
        self._chosen = self.policy.act(self._observation)
        self.envs.step_async(self._chosen[ACTION].numpy())

    def _end(self) -> TensorDict:
        after, reward, terminated, truncated, _ = self.envs.step_wait()
        done = terminated | truncated
        next_observation = torch.from_numpy(after)
        rows = {
            OBSERVATION: self._observation,
            **self._chosen,
            NEXT_OBSERVATION: next_observation,
            REWARD: torch.from_numpy(reward[:, None]).float(),
            TERMINATED: torch.from_numpy(terminated[:, None]),
            TRUNCATED: torch.from_numpy(truncated[:, None]),
            DONE: torch.from_numpy(done[:, None]),
        }
        starts = self.envs.reset(options={"reset_mask": done})[0] if done.any() else None
        self._observation = next_observation if starts is None else torch.from_numpy(starts)
        return TensorDict(rows | self._ended_before, batch_size=[len(done)])


class TorchRLCollector(Collector):
    """TorchRL's own collector around its own wrapper of the environments: the reference for the other member."""

    can_overlap = False

    def _start(self, step: dict[str, Tensor] | None) -> None:
        if step is not None:
            raise CheckpointError("the checkpoint has a step under way, which needs data.collector=direct to go on")
        # TorchRL takes seconds to import and sets the start method of processes, so only who needs this pays for it.
        from torchrl.collectors import Collector as Frames
        from torchrl.envs import GymWrapper

        frames = Frames(
            GymWrapper(self.envs),
            self.policy,
            frames_per_batch=self.envs.num_envs,
            total_frames=-1,
            trust_policy=True,
            track_traj_ids=False,
            use_buffers=False,
            auto_register_policy_transforms=False,
        )
        self._rows = iter(frames)

    def _begin(self) -> None:
        """Leave everything to `end`: TorchRL's collector acts and steps in one go."""

    def _end(self) -> TensorDict:
        return next(self._rows).reshape(-1)


COLLECTORS: Mapping[str, type[Collector]] = MappingProxyType({"direct": DirectCollector, "torchrl": TorchRLCollector})
"""What `data.collector` may be."""


def check_collector(name: str, *, overlap: bool) -> None:
    """Refuse a collector that there is not, or that cannot do what is asked.

    Args:
        name: `data.collector`.
        overlap: `data.overlap`.

    Raises:
        ConfigError: With what to choose.
    """
    if name not in COLLECTORS:
        raise ConfigError(f"data.collector={name!r} is unknown; choose one of {', '.join(COLLECTORS)}")
    if overlap and not COLLECTORS[name].can_overlap:
        raise ConfigError(f"data.overlap=true needs another collector than {name}: set data.collector=direct")
