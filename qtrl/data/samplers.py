"""What TorchRL's samplers need of the replay: columns, checks of their arguments, and states for a checkpoint."""

from typing import Any

import torch
from torchrl.data import PrioritizedSampler, SliceSampler
from torchrl.data.replay_buffers.samplers import Sampler

from qtrl.data.schema import Column
from qtrl.errors import CheckpointError, ConfigError
from qtrl.keys import DONE, EPISODE, STEP

SLICE_COLUMNS = (Column(DONE, (1,), torch.bool), Column(EPISODE, (1,), torch.int64), Column(STEP, (1,), torch.int64))
"""What tells to which episode a row belongs; 17 bytes a row."""


def check_sampler(sampler: Sampler, *, capacity: int, in_memory: bool, device: torch.device) -> None:
    """Refuse a sampler that would draw rows that do not belong together, or none at all.

    Args:
        sampler: Any of TorchRL's.
        capacity: Rows that may be sampled.
        in_memory: Whether the rows lie in memory.
        device: Whose memory that is.

    Raises:
        ConfigError: With what to set.
    """
    if isinstance(sampler, SliceSampler):
        if not sampler.fragmented or (sampler.traj_key, sampler.step_key) != (EPISODE, STEP):
            raise ConfigError(
                "data.sampler: rows of several environments alternate and lost ones are missing, so slices need "
                f"fragmented=true, traj_key={EPISODE} and step_key={STEP}"
            )
        if not in_memory or device.type != "cpu":
            raise ConfigError("data.sampler: slices read whole columns for each minibatch: set data.storage=memory")
    if isinstance(sampler, PrioritizedSampler) and sampler.max_size != capacity:
        raise ConfigError(
            f"data.sampler.max_capacity={sampler.max_size} is not allowed: expected data.capacity={capacity}"
        )


def sampler_state(sampler: Sampler, rows: int) -> dict[str, Any]:
    """Return the state of a sampler of so many rows as plain data and tensors; its random state is the buffer's."""
    if not isinstance(sampler, PrioritizedSampler):
        return dict(sampler.state_dict())
    largest, slot = sampler._max_priority
    return {
        "priorities": torch.as_tensor(sampler._sum_tree[torch.arange(rows)]) if rows else torch.zeros(0),
        "largest": None if largest is None else float(largest),
        "largest_slot": None if slot is None else int(slot),
    }


def load_sampler_state(sampler: Sampler, state: Any, rows: int) -> None:
    """Take back what `sampler_state` returned.

    Raises:
        CheckpointError: The state is none of such a sampler with so many rows.
    """
    expected = sampler_state(sampler, rows)
    if not isinstance(state, dict) or state.keys() != expected.keys():
        raise CheckpointError("replay: 'sampler' in the checkpoint is not the state of the run's data.sampler")
    if not isinstance(sampler, PrioritizedSampler):
        sampler.load_state_dict(state)
        return
    priorities, largest, slot = state["priorities"], state["largest"], state["largest_slot"]
    if (
        not isinstance(priorities, torch.Tensor)
        or (priorities.shape, priorities.dtype) != ((rows,), torch.float32)
        or not (priorities.isfinite() & (priorities > 0)).all()
        or not (largest is None or (type(largest) is float and 0 <= largest < float("inf")))
        or not (slot is None or (type(slot) is int and 0 <= slot < sampler.max_size))
    ):
        raise CheckpointError("replay: the priorities in the checkpoint are not those of its rows")
    if rows:
        sampler._sum_tree[torch.arange(rows)] = priorities
        sampler._min_tree[torch.arange(rows)] = priorities
    sampler._max_priority = (
        None if largest is None else torch.tensor(largest),
        None if slot is None else torch.tensor(slot),
    )
