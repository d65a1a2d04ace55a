"""Frozen records that the packages hand to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtrl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tensordict import TensorDict
    from torch import Tensor


@dataclass(frozen=True)
class EnvSpec:
    """What a model must know of an environment.

    Attributes:
        env_id: The id given to Gymnasium's `make`.
        observation_size: Length of the flat float32 observation.
        action_size: Length of the flat action, each entry in [-1, 1].
        max_episode_steps: The environment's own time limit in env steps, or None where it has none.
        observation_parts: Names and lengths of the parts that the observation was flattened from, in their order; empty
            where it has none.
    """

    env_id: str
    observation_size: int
    action_size: int
    max_episode_steps: int | None = None
    observation_parts: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        for name in ("observation_size", "action_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{self.env_id}: {name} is {getattr(self, name)}, expected at least 1")


@dataclass(frozen=True)
class Batch:
    """What one `training_step` receives.

    Attributes:
        transitions: A minibatch of replay rows, shape (B,).
        env_steps: Env steps made so far, over all ranks.
        recent: As many of the newest rows, for layers that are fitted to them; None where no layer is.
        progress: What fraction of the run's env steps were made so far; may exceed 1 by those of one turn.
        update_priority: Takes the magnitude of each row's TD error, shape (B,), where the sampler is prioritized.
    """

    transitions: TensorDict
    env_steps: int
    update_priority: Callable[[Tensor], None] | None = None
    recent: TensorDict | None = None
    progress: float = 0.0


@dataclass(frozen=True)
class ExampleBatch:
    """What one `training_step` receives in supervised learning.

    Attributes:
        inputs: A minibatch of rows (B, D), as the table has them.
        targets: Classes (B,) or numbers (B,).
        env_steps: Examples seen so far, those of this minibatch included, over all ranks.
        progress: What fraction of the run they are.
    """

    inputs: Tensor
    targets: Tensor
    env_steps: int
    progress: float = 0.0
