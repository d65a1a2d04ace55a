"""The replay: TorchRL's buffer over rows that outlast the process."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tensordict import TensorDict
from torch import Tensor
from torchrl.data import PrioritizedSampler, RandomSampler, RoundRobinWriter, SliceSampler, TensorDictReplayBuffer
from torchrl.data.replay_buffers.samplers import Sampler
from torchrl.envs.transforms import Transform

from qtrl.data.returns.n_step import NStep, without_lost
from qtrl.data.samplers import SLICE_COLUMNS, check_sampler, load_sampler_state, sampler_state
from qtrl.data.schema import Column
from qtrl.data.storage.row_storage import RowStorage, in_memory
from qtrl.errors import CheckpointError, ConfigError


class Replay:
    """TorchRL's replay buffer, with checkpoints.

    `extend` and `sample` are the buffer's. What is added: rows that are lost are left out, the rows are committed for a
    checkpoint, and everything that the next minibatch depends on goes into the checkpoint's state.

    Args:
        columns: The layout of a transition; sampler and transform add what they need.
        capacity: Rows kept; the oldest is overwritten first.
        batch_size: Rows of a minibatch.
        storage: A name in `STORAGES`.
        folder: Where the rows lie or are saved.
        seed: Seed of the sampler's own generator.
        slack: Rows that may be written before the files lose one that an earlier checkpoint may sample; two
            checkpoints stay whole with the rows of two intervals.
        keep: Whether commits are asked for, and files of an earlier process may be gone on with.
        sampler: One of TorchRL's; None draws uniformly with replacement.
        transform: One of TorchRL's for buffers, such as `NStep`.
        device: Where rows lie, and minibatches, if the storage is not one of files.

    Raises:
        ConfigError: An unknown storage, a size below 1, or a sampler that does not go with the rest.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        capacity: int,
        batch_size: int,
        storage: str,
        folder: Path,
        seed: int,
        slack: int = 0,
        keep: bool = True,
        sampler: Sampler | None = None,
        transform: Transform | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        if capacity < 1 or batch_size < 1:
            raise ConfigError(f"replay of {capacity} rows with minibatches of {batch_size}: both must be at least 1")
        place: dict[str, Any] = {"in_memory": in_memory(storage), "capacity": capacity, "device": torch.device(device)}
        sampler = RandomSampler() if sampler is None else sampler
        check_sampler(sampler, **place)
        self.columns = all_columns(columns, sampler, transform)
        self._storage = RowStorage(self.columns, **place, slack=slack, folder=folder, keep=keep)
        self._generator = torch.Generator().manual_seed(seed)
        self._transform = transform
        self.buffer = TensorDictReplayBuffer(
            storage=self._storage,
            sampler=sampler,
            writer=RoundRobinWriter(),
            collate_fn=lambda rows: rows,
            transform=transform,
            batch_size=batch_size,
            generator=self._generator,
        )
        """TorchRL's buffer; rows are added by `extend` alone."""

    def __len__(self) -> int:
        return len(self._storage)

    @property
    def capacity(self) -> int:
        """Rows that may be sampled."""
        return self._storage.max_size

    @property
    def written(self) -> int:
        """Rows ever written, also those overwritten since."""
        return self._storage.written

    @property
    def row_bytes(self) -> int:
        """Bytes that one transition takes."""
        return sum(column.row_bytes for column in self.columns)

    def extend(self, transitions: TensorDict) -> None:
        """Append transitions, shape (n,), but for those under `LOST`; keys that are no column are left out.

        Raises:
            RunFolderError: The disk is full; nothing was written.
        """
        rows = transitions if isinstance(self._transform, NStep) else without_lost(transitions)
        if rows is not None:
            self._storage.reserve(self.written + len(rows))  # once TorchRL's writer has moved on nothing may fail
            self.buffer.extend(rows)

    def sample(self) -> TensorDict:
        """Draw a minibatch, shape (batch_size,); its tensors are never written again.

        Raises:
            ConfigError: There is no row yet, as where a transform holds back those of more env steps than were made.
        """
        if not len(self):
            hint = "raise warmup_env_steps, or lower data.transform.n_steps"
            raise ConfigError(f"the replay has no row yet when learning begins: {hint}")
        rows: TensorDict = self.buffer.sample()
        return rows

    def sample_recent(self, window: int) -> TensorDict:
        """Draw as many rows as of a minibatch uniformly from the newest `window`, with the sampler's generator."""
        newest, count = self.written - 1, min(window, len(self))
        ages = torch.randint(count, (self.buffer.batch_size,), generator=self._generator)
        return self._storage.get((newest - ages) % self.capacity)

    def draw(self, rows: int, generator: torch.Generator) -> TensorDict:
        """Draw rows uniformly, shape (rows,), with a generator of the caller's: `sample` notices nothing."""
        return self._storage.get(torch.randint(len(self), (rows,), generator=generator))

    def priorities_of(self, rows: TensorDict) -> Callable[[Tensor], None] | None:
        """Return what takes new priorities (B,) of a minibatch that `sample` gave, where the sampler has any."""
        if not isinstance(self.buffer.sampler, PrioritizedSampler):
            return None
        slots = rows["index"].cpu()
        return lambda priorities: self.buffer.update_priority(slots, priorities.to(slots.device))

    def interrupt(self, environments: np.ndarray) -> None:
        """Let no row span the last step and the next one of the environments of a boolean mask, shape (N,)."""
        if isinstance(self._transform, NStep):
            self._transform.interrupt(environments)

    def commit(self) -> None:
        """Bring all rows onto the disk, for a checkpoint that is about to be written.

        Raises:
            RunFolderError: The rows cannot be written; those of the checkpoints before stay as they are.
        """
        self._storage.commit()

    def state_dict(self) -> dict[str, Any]:
        """Return counters, checksums, and the states of sampler and transform; `commit` saves the rows themselves."""
        return {
            **self._storage.state_dict(),
            "generator": self._generator.get_state(),
            "sampler": sampler_state(self.buffer.sampler, len(self)),
            "transform": {} if self._transform is None else dict(self._transform.state_dict()),
        }

    def load_state_dict(self, state: dict[str, Any], *, rows: bool = True) -> None:
        """Take back what `state_dict` returned, with the rows of that moment unless `rows` is false.

        Raises:
            CheckpointError: The state is not one of such a replay.
            RunFolderError: The files do not hold the rows of that moment.
        """
        try:  # on a generator of its own, before anything is taken back
            torch.Generator().set_state(state["generator"])
        except (KeyError, TypeError, RuntimeError) as error:
            reason = "replay: 'generator' in the checkpoint is not the state of a torch.Generator"
            raise CheckpointError(reason) from error
        if rows:
            self._storage.load_state_dict(state)
            self.buffer.writer.load_state_dict({"_cursor": self.written % self.capacity, "_write_count": self.written})
            load_sampler_state(self.buffer.sampler, state.get("sampler"), len(self))
            self._load_transform(state.get("transform"))
        self._generator.set_state(state["generator"])

    def _load_transform(self, state: Any) -> None:
        try:
            if self._transform is not None:
                self._transform.load_state_dict(state)
        except (AttributeError, KeyError, TypeError, RuntimeError) as error:
            raise CheckpointError("replay: 'transform' in the checkpoint is not that of data.transform") from error


def all_columns(columns: Sequence[Column], sampler: Sampler | None, transform: Transform | None) -> tuple[Column, ...]:
    """Return the columns of a transition and those that a sampler and a transform need beside them."""
    slices = SLICE_COLUMNS if isinstance(sampler, SliceSampler) else ()
    return (*columns, *slices, *getattr(transform, "columns", ()))
