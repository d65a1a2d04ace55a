"""Independent random streams for each purpose and rank, derived from the run's one seed."""

import hashlib
import random
from typing import Any

import numpy as np
import torch

from qtrl.errors import CheckpointError


def seed_for(seed: int, purpose: str, rank: int = 0) -> int:
    """Derive the seed of one random stream; an extra draw in one stream never shifts another.

    Args:
        seed: The run's seed.
        purpose: Name of the stream, for example `shots` or `target_noise`.
        rank: The process's rank, for streams that must differ between processes.

    Returns:
        An integer in [0, 2**63), the same on every machine and Python version.
    """
    digest = hashlib.sha256(f"{seed}/{purpose}/{rank}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class Generators:
    """Random generators by purpose, each created on first use on the device given then.

    Args:
        seed: The run's seed.
        rank: The process's rank.
    """

    def __init__(self, seed: int, rank: int = 0) -> None:
        self._seed, self._rank = seed, rank
        self._made: dict[str, torch.Generator] = {}
        self._restored: dict[str, torch.Tensor] = {}

    def get(self, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
        """Return the generator of one purpose.

        Raises:
            CheckpointError: The state restored for it is invalid.
        """
        if purpose not in self._made:
            generator = torch.Generator(device).manual_seed(seed_for(self._seed, purpose, self._rank))
            if purpose in self._restored:
                _set_state(purpose, generator, self._restored.pop(purpose))
            self._made[purpose] = generator
        return self._made[purpose]

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the state of each generator by purpose."""
        return self._restored | {purpose: generator.get_state() for purpose, generator in self._made.items()}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Restore what `state_dict` returned; a generator that does not exist yet is restored on creation."""
        self._restored = dict(state)
        for purpose in list(self._made):
            if purpose in self._restored:
                _set_state(purpose, self._made[purpose], self._restored.pop(purpose))


def _set_state(purpose: str, generator: torch.Generator, state: object) -> None:
    try:
        generator.set_state(state)  # type: ignore[arg-type]
    except (TypeError, RuntimeError) as error:
        raise CheckpointError(f"the checkpoint's random state for {purpose} is none; was it edited?") from error


def random_states() -> dict[str, Any]:
    """Return the states of the global generators of Python, NumPy and torch, as plain data and tensors."""
    name, keys, position, has_gauss, gauss = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(np.asarray(keys, np.int64)), position, has_gauss, gauss),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_random_states(states: dict[str, Any]) -> None:
    """Restore what `random_states` returned; states of absent GPUs are ignored."""
    random.setstate(states["python"])
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    for index, state in enumerate(states["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, index)
